-- Open tasks are listed by due date on every dashboard; done ones never are.
CREATE INDEX "tasks_open_due_at_idx" ON "tasks"("due_at") WHERE "done" = false;
