-- The labels every project starts with. Teams choose their own colours later.
INSERT INTO "labels" ("name", "color") VALUES
    ('bug', '#d73a4a'),
    ('feature', '#a2eeef'),
    ('question; please answer', '#d876e3');
