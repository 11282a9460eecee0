//! tollgate-plugin-destructive
