//! Rows and fields as diesel wants them, over the driver's.

use std::error::Error;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use diesel::pg::{Pg, PgValue};
use diesel::row::{Field, PartialRow, Row, RowIndex, RowSealed};
use postgres::types::{FromSql, Type};

/// One row of a result.
pub struct PgRow {
    row: postgres::Row,
    /// Type of each column, shared by all rows of the result.
    types: Arc<[NonZeroU32]>,
}

impl PgRow {
    /// Wraps the rows of one result.
    pub(crate) fn all(rows: Vec<postgres::Row>) -> Vec<Self> {
        let types: Arc<[NonZeroU32]> = rows.first().map_or_else(Vec::new, column_types).into();
        rows.into_iter()
            .map(|row| Self {
                row,
                types: Arc::clone(&types),
            })
            .collect()
    }
}

fn column_types(row: &postgres::Row) -> Vec<NonZeroU32> {
    // 705 is `unknown`: a column always has a type, so the fallback is never read.
    row.columns()
        .iter()
        .map(|column| NonZeroU32::new(column.type_().oid()).unwrap_or(UNKNOWN))
        .collect()
}

const UNKNOWN: NonZeroU32 = match NonZeroU32::new(705) {
    Some(oid) => oid,
    None => NonZeroU32::MIN,
};

impl RowSealed for PgRow {}

impl<'a> Row<'a, Pg> for PgRow {
    type Field<'f>
        = PgField<'f>
    where
        'a: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.row.len()
    }

    fn get<'b, I>(&'b self, index: I) -> Option<Self::Field<'b>>
    where
        'a: 'b,
        Self: RowIndex<I>,
    {
        Some(PgField {
            row: self,
            index: self.idx(index)?,
        })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self::InnerPartialRow> {
        PartialRow::new(self, range)
    }
}

impl RowIndex<usize> for PgRow {
    fn idx(&self, index: usize) -> Option<usize> {
        (index < self.row.len()).then_some(index)
    }
}

impl<'a> RowIndex<&'a str> for PgRow {
    fn idx(&self, name: &'a str) -> Option<usize> {
        self.row.columns().iter().position(|column| column.name() == name)
    }
}

/// One value of a row.
pub struct PgField<'a> {
    row: &'a PgRow,
    index: usize,
}

impl<'a> Field<'a, Pg> for PgField<'a> {
    fn field_name(&self) -> Option<&str> {
        self.row.row.columns().get(self.index).map(postgres::Column::name)
    }

    fn value(&self) -> Option<PgValue<'_>> {
        let Raw(bytes) = self.row.row.try_get(self.index).ok()?;
        Some(PgValue::new(bytes?, self.row.types.get(self.index)?))
    }
}

/// A value's bytes, whatever its type.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
