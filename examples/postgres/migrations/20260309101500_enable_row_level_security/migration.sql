ALTER TABLE "invoices" ENABLE ROW LEVEL SECURITY;

CREATE POLICY "invoices_of_tenant" ON "invoices"
    USING ("tenant_id" = current_setting('app.tenant_id', true)::uuid);
