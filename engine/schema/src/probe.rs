//! Questions about rows, mapped back to what the base calls the table and its columns.

use tollgate_sql::ObjectName;
use tollgate_sql::operation::ObjectKind;

use crate::base::ProbeError;
use crate::schema::{ColumnOrigin, Schema};

impl Schema {
    /// Rows, counted up to `limit`.
    ///
    /// # Errors
    /// [`ProbeError::NotAvailable`] where the base has no such rows any more or not yet, and whatever the base says.
    pub fn count_rows(&self, table: &ObjectName, limit: u64) -> Result<u64, ProbeError> {
        if self.known_empty(table) {
            return Ok(0);
        }
        self.base.count_rows(&self.rows_of(table, false)?, limit)
    }

    /// Rows whose `column` is not null, counted up to `limit`.
    ///
    /// # Errors
    /// As [`Schema::count_rows`].
    pub fn count_values(&self, table: &ObjectName, column: &str, limit: u64) -> Result<u64, ProbeError> {
        if self.known_empty(table) {
            return Ok(0);
        }
        let base = self.rows_of(table, true)?;
        match self.column_in_base(table, column)? {
            Some(column) => self.base.count_values(&base, &column, limit),
            None => Ok(0),
        }
    }

    /// Rows whose `column` is null, counted up to `limit`.
    ///
    /// # Errors
    /// As [`Schema::count_rows`].
    pub fn count_nulls(&self, table: &ObjectName, column: &str, limit: u64) -> Result<u64, ProbeError> {
        if self.known_empty(table) {
            return Ok(0);
        }
        let base = self.rows_of(table, true)?;
        match self.column_in_base(table, column)? {
            Some(column) => self.base.count_nulls(&base, &column, limit),
            None => self.base.count_rows(&base, limit),
        }
    }

    /// Groups of rows that share the same values in `columns`, up to `limit`.
    ///
    /// # Errors
    /// As [`Schema::count_rows`].
    pub fn count_duplicates(&self, table: &ObjectName, columns: &[String], limit: u64) -> Result<u64, ProbeError> {
        if self.known_empty(table) {
            return Ok(0);
        }
        let base = self.rows_of(table, true)?;
        let mut mapped = Vec::with_capacity(columns.len());
        for column in columns {
            match self.column_in_base(table, column)? {
                Some(column) => mapped.push(column),
                // Nulls differ from each other.
                None => return Ok(0),
            }
        }
        self.base.count_duplicates(&base, &mapped, limit)
    }

    /// The base's name of a table whose rows are still the base's.
    fn rows_of(&self, table: &ObjectName, values: bool) -> Result<ObjectName, ProbeError> {
        let other = |error: crate::base::BaseError| ProbeError::Other(error.message);
        let name = self.find(ObjectKind::Table, table).map_err(other)?;
        if self.get(&name).map_err(other)?.is_none() {
            return Err(if self.complete() {
                ProbeError::UnknownObject
            } else {
                ProbeError::NotAvailable
            });
        }
        if let Some(origin) = self.overlay.origins.get(&*self.key(&name))
            && (origin.rows_changed || (values && origin.values_changed))
        {
            return Err(ProbeError::NotAvailable);
        }
        self.base_name(&name).map_err(other)?.ok_or(ProbeError::NotAvailable)
    }

    /// The base's name of a column; `None` when it was added here and is null everywhere.
    fn column_in_base(&self, table: &ObjectName, column: &str) -> Result<Option<String>, ProbeError> {
        let name = self.resolve(ObjectKind::Table, table);
        match self
            .overlay
            .origins
            .get(&*self.key(&name))
            .and_then(|origin| origin.columns.get(column))
        {
            None => Ok(Some(column.to_owned())),
            Some(ColumnOrigin::Renamed(base)) => Ok(Some(base.clone())),
            Some(ColumnOrigin::AddedNull) => Ok(None),
            Some(ColumnOrigin::Unknown) => Err(ProbeError::NotAvailable),
        }
    }
}
