-- The index on "created_at" is for the list of newest notes. Nothing leads with the tenant.
CREATE TABLE "notes" (
    "id" BIGSERIAL NOT NULL,
    "tenant_id" UUID NOT NULL REFERENCES "tenants"("id"),
    "body" TEXT NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "notes_pkey" PRIMARY KEY ("id")
);

CREATE INDEX "notes_created_at_tenant_id_idx" ON "notes"("created_at", "tenant_id");
