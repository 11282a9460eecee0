-- Built without blocking writes; it cannot run inside a transaction, so it stands alone in its file.
CREATE INDEX CONCURRENTLY "invoices_tenant_id_status_idx" ON "invoices"("tenant_id", "status");
