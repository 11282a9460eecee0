//! Where the body of a stored program ends: blocks and loops hold statements, and these end with semicolons.
//!
//! The body is not read for what it does, only followed to its end. Where that goes wrong (a dialect of stored programs
//! that is not known here) the rest of the script belongs to the program; nothing is refused.

use super::scan::{Kind, Token};
use super::verbs::VERBS;

/// Words that open something which an END closes.
const OPENING: &[&str] = &["begin", "case", "for", "if", "loop", "repeat", "while"];

/// Something that an END closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// BEGIN, IF, LOOP, REPEAT and a CASE whose branches hold statements.
    Statements,
    /// A CASE in an expression, or the condition behind UNTIL.
    Value,
    /// WHILE and FOR, until their DO.
    Condition,
}

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first words, which say whether this is a stored program at all.
    Start,
    /// No stored program, or one whose body is a single statement without blocks.
    Simple,
    /// Between CREATE and the body.
    Head(Head),
    Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// A procedure, function or package: the body follows its properties.
    Routine,
    /// A trigger: the body follows FOR EACH ROW.
    Trigger,
    /// A trigger behind FOR EACH ROW.
    Row,
    /// An event: the body follows DO.
    Event,
}

/// Follows one statement of a script, token by token.
pub(super) struct Body<'a> {
    text: &'a str,
    state: State,
    program: bool,
    count: usize,
    /// SET STATEMENT stands in front.
    wrapped: bool,
    /// The conditions of a DECLARE … HANDLER FOR are being read: a statement follows them.
    handler: bool,
    previous: Option<Token>,
    open: Vec<Open>,
}

impl<'a> Body<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            state: State::Start,
            program: false,
            count: 0,
            wrapped: false,
            handler: false,
            previous: None,
            open: Vec::new(),
        }
    }

    /// A semicolon here does not end the statement.
    pub(super) fn holds(&self) -> bool {
        !self.open.is_empty()
    }

    /// A stored program is made, or a block is run.
    pub(super) fn is_program(&self) -> bool {
        self.program
    }

    /// The next token, inside so many brackets.
    pub(super) fn follow(&mut self, token: Token, brackets: usize) {
        if self.state != State::Simple && (token.kind == Kind::Word || token.is_symbol(';')) {
            let word = token.text(self.text).to_ascii_lowercase();
            match self.state {
                State::Start => self.start(&word),
                State::Head(head) if brackets == 0 && !self.previous_is_symbol('.') => self.head(head, &word),
                State::Body => self.body(&word),
                State::Simple | State::Head(_) => {}
            }
        }
        self.count += 1;
        self.previous = Some(token);
    }

    fn start(&mut self, word: &str) {
        // SET STATEMENT … FOR CREATE PROCEDURE …
        let wrapped = self.wrapped && !self.previous_is(&["for"]);
        if self.count == 0 {
            match word {
                "set" => self.wrapped = true,
                "create" | "alter" | "begin" => {}
                _ if OPENING.contains(&word) => {
                    self.program = true;
                    self.state = State::Body;
                    self.body(word);
                }
                _ => self.state = State::Simple,
            }
            return;
        }
        if wrapped {
            if self.count == 1 && word != "statement" {
                self.state = State::Simple;
            }
            return;
        }
        if std::mem::take(&mut self.wrapped) {
            if !matches!(word, "create" | "alter") {
                self.state = State::Simple;
            }
            return;
        }
        self.state = match word {
            "procedure" | "function" | "package" => State::Head(Head::Routine),
            "trigger" => State::Head(Head::Trigger),
            "event" => State::Head(Head::Event),
            // BEGIN NOT ATOMIC: a block that MariaDB runs at once. BEGIN alone begins a transaction.
            "not" if self.count == 1 && self.previous_is(&["begin"]) => {
                self.program = true;
                self.open.push(Open::Statements);
                State::Body
            }
            "table" | "index" | "view" | "database" | "schema" | "user" | "role" | "sequence" => State::Simple,
            _ => return,
        };
        self.program |= matches!(self.state, State::Head(_));
    }

    fn head(&mut self, head: Head, word: &str) {
        let begins = match head {
            Head::Trigger => {
                if word == "row" && self.previous_is(&["each"]) {
                    self.state = State::Head(Head::Row);
                }
                false
            }
            Head::Row => !self.previous_is(&["follows", "precedes"]),
            Head::Event => self.previous_is(&["do"]),
            // Its name, IF NOT EXISTS before it, and the type RETURNS SET (…).
            Head::Routine => !self.previous_is(&["procedure", "function", "package", "exists", "body", "returns"]),
        };
        if !begins {
            return;
        }
        if OPENING.contains(&word) {
            self.state = State::Body;
            self.open_with(word);
        } else if self.begins_single_statement(word) {
            self.state = State::Simple;
        }
    }

    /// The body is a single statement: nothing in it is a block.
    fn begins_single_statement(&self, word: &str) -> bool {
        match word {
            // RETURNS … CHARACTER SET utf8mb4 is part of the head.
            "set" => !self.previous_is(&["char", "character"]),
            // Only inside of a stored program is this a statement.
            "return" => true,
            _ => VERBS.contains(&word),
        }
    }

    fn body(&mut self, word: &str) {
        match word {
            "end" => self.end(),
            "do" if self.open.last() == Some(&Open::Condition) => self.replace(Open::Statements),
            "until" if self.begins_statement() => self.replace(Open::Value),
            "handler" if self.previous_is(&["continue", "exit", "undo"]) => self.handler = true,
            _ if self.begins_statement() => {
                self.handler = false;
                self.open_with(word);
            }
            "case" if !self.previous_is(&["end"]) && !self.previous_is_symbol('.') => self.open.push(Open::Value),
            _ => {}
        }
    }

    /// END closes a list of statements only where the last of them is over: `end` may be the name of a column.
    fn end(&mut self) {
        let empty = ["atomic", "begin", "do", "else", "loop", "repeat", "then"];
        let after_statement = self.previous_is_symbol(';') || self.previous_is(&empty);
        match self.open.last() {
            Some(Open::Value) if !self.previous_is_symbol('.') => {}
            Some(Open::Statements) if after_statement => {}
            _ => return,
        }
        self.open.pop();
        if self.open.is_empty() {
            self.state = State::Simple;
        }
    }

    fn replace(&mut self, open: Open) {
        self.open.pop();
        self.open.push(open);
    }

    fn open_with(&mut self, word: &str) {
        match word {
            "begin" | "if" | "case" | "loop" | "repeat" => self.open.push(Open::Statements),
            "while" | "for" => self.open.push(Open::Condition),
            _ => {}
        }
    }

    /// A statement begins behind the token before this one.
    fn begins_statement(&self) -> bool {
        let Some(previous) = self.previous else { return true };
        if self.handler {
            // DECLARE EXIT HANDLER FOR SQLSTATE VALUE '23000', NOT FOUND BEGIN …
            let within = ["for", "handler", "not", "sqlstate", "value"];
            return !previous.is_symbol(',') && !self.previous_is(&within);
        }
        let in_value = self.open.last() == Some(&Open::Value);
        previous.is_symbol(';')
            || previous.is_symbol(':')
            || self.previous_is(&["atomic", "begin", "loop", "repeat"])
            || (self.previous_is(&["then", "else", "do"]) && !in_value && self.open.last() != Some(&Open::Condition))
    }

    fn previous_is(&self, words: &[&str]) -> bool {
        self.previous
            .is_some_and(|previous| words.iter().any(|word| previous.is(self.text, word)))
    }

    fn previous_is_symbol(&self, symbol: char) -> bool {
        self.previous.is_some_and(|previous| previous.is_symbol(symbol))
    }
}
