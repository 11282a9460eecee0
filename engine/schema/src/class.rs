//! Kinds of objects that share one set of names.

use tollgate_sql::operation::ObjectKind;

/// Objects that share one set of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Relation,
    Index,
    Sequence,
    Type,
    Function,
    Schema,
    Extension,
    /// Not kept in the model.
    Other,
}

impl Class {
    pub fn of(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::ForeignTable => {
                Self::Relation
            }
            ObjectKind::Index => Self::Index,
            ObjectKind::Sequence => Self::Sequence,
            ObjectKind::Type | ObjectKind::Domain => Self::Type,
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => Self::Function,
            ObjectKind::Schema => Self::Schema,
            ObjectKind::Extension => Self::Extension,
            _ => Self::Other,
        }
    }

    /// One kind that stands for the class in [`crate::schema::Overlay::doubtful`].
    pub fn doubtful_kind(kind: ObjectKind) -> ObjectKind {
        match Self::of(kind) {
            Self::Relation => ObjectKind::Table,
            Self::Type => ObjectKind::Type,
            Self::Function => ObjectKind::Function,
            _ => kind,
        }
    }
}
