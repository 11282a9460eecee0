//! tollgate-plugin-webhook
