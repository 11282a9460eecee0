//! tollgate-plugin-rollback
