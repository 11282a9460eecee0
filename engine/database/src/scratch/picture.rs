//! Everything that is in a catalog at one moment, with nothing left open.

use tollgate_schema::{BaseError, Schema};

use crate::database::Database;

impl Database {
    /// Reads the whole catalog. Unlike [`Database::catalog`] the schema needs no connection any more: it can be kept while
    /// the database changes, and holds nothing up. Rows cannot be asked for.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub fn picture(&mut self) -> Result<Schema, BaseError> {
        let base = self.catalog().map_err(|error| BaseError {
            message: error.to_string(),
            help: error.help(),
        })?;
        let names = base.relation_names()?;
        base.prefetch(&names)?;
        let schema = Schema::over(base, self.context());
        schema.schemas()?;
        schema.extensions()?;
        for name in &names {
            schema.relation(name)?;
        }
        for name in schema.type_names()? {
            schema.user_type(&name)?;
        }
        for name in schema.sequence_names()? {
            schema.sequence(&name)?;
        }
        for name in schema.function_names()? {
            schema.functions(&name)?;
        }
        self.end_catalogs();
        Ok(schema)
    }
}
