CREATE VIEW "open_invoices" AS
SELECT "id", "tenant_id", "number", "total"
FROM "invoices"
WHERE "status" IN ('SENT', 'OVERDUE');

COMMENT ON VIEW "open_invoices" IS 'What tenants still owe';
