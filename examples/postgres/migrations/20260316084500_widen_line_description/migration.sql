-- AlterTable
ALTER TABLE "invoice_lines" ALTER COLUMN "description" SET DATA TYPE TEXT;
