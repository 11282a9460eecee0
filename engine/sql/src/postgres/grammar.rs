//! The one door to `libpg_query`: text to protobuf tree, text to tokens, and where the grammar gave up.
//!
//! `pg_query::parse` drops the position of an error and walks the whole tree to summarise it, so the C function is
//! called here directly. Nothing else in this crate is `unsafe`.

use std::ffi::{CStr, CString, c_char, c_int};

use pg_query::protobuf::{self, ParseResult, ScanToken};
use prost::Message;

/// Statements with more tokens than this are read on a thread with a large stack: trees nest as deep as expressions do.
const SHALLOW_TOKENS: usize = 250;

/// Enough for the deepest tree that `libpg_query`'s own 2 MB limit lets through, also without optimisation.
const DEEP_STACK: usize = 512 * 1024 * 1024;

/// Why the grammar refused a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrammarError {
    /// The grammar's own words.
    pub message: String,
    /// Byte offset at which it gave up, where it says so.
    pub offset: Option<usize>,
}

#[repr(C)]
struct CError {
    message: *const c_char,
    funcname: *const c_char,
    filename: *const c_char,
    lineno: c_int,
    cursorpos: c_int,
    context: *const c_char,
}

#[repr(C)]
struct CParseResult {
    length: usize,
    data: *const u8,
    stderr_buffer: *const c_char,
    error: *const CError,
}

#[repr(C)]
struct CScanToken {
    start: c_int,
    end: c_int,
    token: c_int,
    keyword_kind: c_int,
}

#[repr(C)]
struct CScanResult {
    tokens: *const CScanToken,
    n_tokens: c_int,
    error: *const CError,
}

#[repr(C)]
struct CSplitStatement {
    location: c_int,
    length: c_int,
}

#[repr(C)]
struct CSplitResult {
    statements: *const *const CSplitStatement,
    count: c_int,
    stderr_buffer: *const c_char,
    error: *const CError,
}

unsafe extern "C" {
    fn pg_query_scan_tokens(input: *const c_char) -> CScanResult;
    fn pg_query_free_scan_tokens_result(result: CScanResult);
    fn pg_query_parse_protobuf_opts(input: *const c_char, parser_options: c_int) -> CParseResult;
    fn pg_query_free_protobuf_parse_result(result: CParseResult);
    fn pg_query_split_with_parser(input: *const c_char) -> CSplitResult;
    fn pg_query_free_split_result(result: CSplitResult);
}

/// The tree of every statement in `text`.
pub(super) fn tree(text: &str) -> Result<ParseResult, GrammarError> {
    let input = CString::new(text).map_err(|error| GrammarError {
        message: "the script contains a NUL character".to_owned(),
        offset: Some(error.nul_position()),
    })?;
    // SAFETY: declared as in pg_query.h of the libpg_query that the pg_query crate links. `input` lives across the call;
    // the buffers of the result are read only before they are freed, once, with the function made for it.
    unsafe {
        let result = pg_query_parse_protobuf_opts(input.as_ptr(), 0);
        let read = if result.error.is_null() {
            let bytes: &[u8] = if result.data.is_null() {
                &[]
            } else {
                std::slice::from_raw_parts(result.data, result.length)
            };
            ParseResult::decode(bytes).map_err(|error| GrammarError {
                message: error.to_string(),
                offset: None,
            })
        } else {
            let error = &*result.error;
            Err(GrammarError {
                message: one_line(&CStr::from_ptr(error.message).to_string_lossy()),
                offset: usize::try_from(error.cursorpos)
                    .ok()
                    .and_then(|position| character(text, position)),
            })
        };
        pg_query_free_protobuf_parse_result(result);
        read
    }
}

/// Where each statement of `text` begins, with what stands before it; `None` where the grammar refuses the text. Its tree
/// is not brought over, which is most of the work of [`tree`].
pub(super) fn starts(text: &str) -> Option<Vec<usize>> {
    let input = CString::new(text).ok()?;
    // SAFETY: as in `tree`; a null pointer never becomes a slice, and each of the `count` pointers is to a statement.
    unsafe {
        let result = pg_query_split_with_parser(input.as_ptr());
        let count = usize::try_from(result.count).unwrap_or(0);
        let statements: &[*const CSplitStatement] = if result.statements.is_null() {
            &[]
        } else {
            std::slice::from_raw_parts(result.statements, count)
        };
        let starts = statements
            .iter()
            .map(|statement| usize::try_from((**statement).location).ok());
        let starts = result.error.is_null().then(|| starts.collect()).flatten();
        pg_query_free_split_result(result);
        starts
    }
}

/// An unterminated string is repeated in the message to the end of the script: its first line is enough.
fn one_line(message: &str) -> String {
    match message.split_once('\n') {
        Some((line, _)) => format!("{}…\"", line.trim_end()),
        None => message.to_owned(),
    }
}

/// The byte offset of the `position`th character, counted from 1; 0 stands for no position.
fn character(text: &str, position: usize) -> Option<usize> {
    let before = position.checked_sub(1)?;
    Some(text.char_indices().nth(before).map_or(text.len(), |(offset, _)| offset))
}

/// The tokens of `text` without comments. Empty where the scanner refuses it; the grammar will say why.
///
/// `pg_query::scan_tokens` makes a slice from a null pointer when there are none, which is undefined behaviour.
pub(super) fn tokens(text: &str) -> Vec<ScanToken> {
    let Ok(input) = CString::new(text) else {
        return Vec::new();
    };
    let comments = [protobuf::Token::SqlComment as i32, protobuf::Token::CComment as i32];
    // SAFETY: as in `tree`; a null pointer never becomes a slice.
    unsafe {
        let result = pg_query_scan_tokens(input.as_ptr());
        let count = usize::try_from(result.n_tokens).unwrap_or(0);
        let raw: &[CScanToken] = if result.error.is_null() && !result.tokens.is_null() {
            std::slice::from_raw_parts(result.tokens, count)
        } else {
            &[]
        };
        let tokens = raw
            .iter()
            .filter(|token| !comments.contains(&token.token))
            .map(|token| ScanToken {
                start: token.start,
                end: token.end,
                token: token.token,
                keyword_kind: token.keyword_kind,
            });
        let tokens = tokens.collect();
        pg_query_free_scan_tokens_result(result);
        tokens
    }
}

/// Runs `work` where its recursion has room for what `tokens` may nest.
pub(super) fn with_room<T: Send>(tokens: &[ScanToken], work: impl Fn() -> T + Sync) -> T {
    let semicolon = protobuf::Token::Ascii59 as i32;
    let longest = tokens
        .split(|token| token.token == semicolon)
        .map(<[ScanToken]>::len)
        .max()
        .unwrap_or(0);
    if longest <= SHALLOW_TOKENS {
        return work();
    }
    std::thread::scope(|scope| {
        match std::thread::Builder::new()
            .stack_size(DEEP_STACK)
            .spawn_scoped(scope, &work)
            .map(std::thread::ScopedJoinHandle::join)
        {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // No thread to be had: nearly every statement is shallow all the same.
            Err(_) => work(),
        }
    })
}
