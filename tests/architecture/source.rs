//! Just enough Rust to find paths in a source file: comments, texts and test code are blanked out,
//! line breaks stay where they are.

use std::collections::BTreeSet;

/// A path as written, with `super` chains that reach the crate's root turned into `crate`.
#[derive(Debug)]
pub struct Path {
    pub line: usize,
    pub segments: Vec<String>,
}

/// A source file, read.
pub struct Source {
    raw: String,
    /// Only code that is compiled outside of tests.
    code: Vec<char>,
    /// Modules declared as `#[cfg(test)] mod NAME;`.
    pub test_modules: BTreeSet<String>,
}

impl Source {
    pub fn new(text: &str) -> Self {
        let mut code = without_comments_and_texts(text);
        let test_modules = blank_tests(&mut code);
        Self { raw: text.to_owned(), code, test_modules }
    }

    /// Every path, in a module that lies `depth` levels below the crate's root.
    pub fn paths(&self, depth: usize) -> Vec<Path> {
        let mut paths = Vec::new();
        let (mut at, mut line) = (0, 1);
        while at < self.code.len() {
            let starts = is_name(self.code[at])
                && !at.checked_sub(1).is_some_and(|before| is_name(self.code[before]));
            if starts {
                let from = at;
                at = self.tree(at, line, Vec::new(), &mut paths);
                line += newlines(&self.code[from..at]);
            } else {
                line += usize::from(self.code[at] == '\n');
                at += 1;
            }
        }
        paths.iter_mut().for_each(|path| path.reach_root(depth));
        paths
    }

    /// Reads one path, or one branch of a `use` tree, from `at` on; returns where it ends.
    fn tree(&self, start: usize, line: usize, prefix: Vec<String>, found: &mut Vec<Path>) -> usize {
        let mut segments = prefix;
        let mut at = start;
        let line_at = |at: usize| line + newlines(&self.code[start..at]);
        loop {
            let from = self.skip_space(at);
            let to = (from..self.code.len()).find(|i| !is_name(self.code[*i]));
            let to = to.unwrap_or(self.code.len());
            match self.code.get(from) {
                Some('{') => {
                    at = from + 1;
                    while !matches!(self.code.get(at), None | Some('}')) {
                        let next = self.skip_space(at);
                        if matches!(self.code.get(next), Some(c) if is_name(*c) || *c == '*' || *c == '{')
                        {
                            at = self.tree(next, line_at(next), segments.clone(), found);
                        } else if self.code.get(next) == Some(&'}') {
                            at = next;
                        } else {
                            at = next + 1;
                        }
                    }
                    return (at + 1).min(self.code.len());
                }
                Some('*') => {
                    segments.push("*".into());
                    found.push(Path { line: line_at(from), segments });
                    return from + 1;
                }
                Some(c) if is_name(*c) => {
                    segments.push(self.code[from..to].iter().collect());
                    at = to;
                }
                _ => {
                    found.push(Path { line: line_at(at), segments });
                    return at.max(start + 1).min(self.code.len());
                }
            }
            let next = self.skip_space(at);
            if self.code.get(next..next + 2) != Some(&[':', ':']) {
                found.push(Path { line: line_at(at), segments });
                return at;
            }
            at = next + 2;
        }
    }

    fn skip_space(&self, from: usize) -> usize {
        let rest = self.code.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|c| c.is_whitespace()).count()
    }

    /// Marks of unfinished work, with their lines.
    pub fn unfinished(&self) -> Vec<(usize, &'static str)> {
        let mut found = Vec::new();
        for (number, line) in (1..).zip(self.raw.lines()) {
            let words: Vec<&str> = line.split(|c: char| !is_name(c) && c != '!').collect();
            for mark in ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "dbg!"] {
                if words.contains(&mark) {
                    found.push((number, mark));
                }
            }
        }
        found
    }
}

impl Path {
    fn reach_root(&mut self, depth: usize) {
        let supers = self.segments.iter().take_while(|name| *name == "super").count();
        if supers > 0 && supers == depth {
            self.segments.splice(..supers, ["crate".to_owned()]);
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn newlines(code: &[char]) -> usize {
    code.iter().filter(|c| **c == '\n').count()
}

fn without_comments_and_texts(text: &str) -> Vec<char> {
    let mut code: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < code.len() {
        let end = match (code[at], code.get(at + 1)) {
            ('/', Some('/')) => find(&code, at, &['\n']),
            ('/', Some('*')) => end_of_block_comment(&code, at),
            ('"', _) => end_of_text(&code, at + 1),
            ('r', Some('"' | '#')) if at == 0 || !is_name(code[at - 1]) || code[at - 1] == 'b' => {
                end_of_raw_text(&code, at)
            }
            // A character, not a lifetime: it ends with a quote after one character or an escape.
            ('\'', Some('\\')) => find(&code, at + 3, &['\'']) + 1,
            ('\'', Some(_)) if code.get(at + 2) == Some(&'\'') => at + 3,
            _ => at,
        };
        let end = end.min(code.len());
        code[at..end].iter_mut().filter(|c| **c != '\n').for_each(|c| *c = ' ');
        at = end.max(at + 1);
    }
    code
}

fn find(code: &[char], from: usize, what: &[char]) -> usize {
    let windows = code.get(from..).unwrap_or_default().windows(what.len());
    from + windows.into_iter().position(|window| window == what).unwrap_or(code.len())
}

fn end_of_block_comment(code: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < code.len() {
        match code.get(at..at + 2) {
            Some(['/', '*']) => (depth, at) = (depth + 1, at + 2),
            Some(['*', '/']) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_text(code: &[char], mut at: usize) -> usize {
    while at < code.len() && code[at] != '"' {
        at += if code[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// `r"..."`, `r#"..."#` and so on; a raw name such as `r#type` is left as it is.
fn end_of_raw_text(code: &[char], start: usize) -> usize {
    let hashes = code[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if code.get(open) != Some(&'"') {
        return start;
    }
    let mut close = vec!['"'];
    close.resize(1 + hashes, '#');
    find(code, open + 1, &close) + close.len()
}

/// Blanks the item after every `#[cfg(test)]`; returns the names of modules in files of their own.
fn blank_tests(code: &mut [char]) -> BTreeSet<String> {
    let mark: Vec<char> = "#[cfg(test)]".chars().collect();
    let mut modules = BTreeSet::new();
    let mut at = find(code, 0, &mark);
    while at < code.len() {
        let mut depth = 0;
        let mut end = at + mark.len();
        while end < code.len() {
            match code[end] {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            let closed = depth == 0 && matches!(code[end], '}' | ';');
            end += 1;
            if closed {
                break;
            }
        }
        let item: String = code[at + mark.len()..end].iter().collect();
        if let Some(name) = item.trim().strip_prefix("mod ").and_then(|m| m.strip_suffix(';')) {
            modules.insert(name.trim().to_owned());
        }
        code[at..end].iter_mut().filter(|c| **c != '\n').for_each(|c| *c = ' ');
        at = find(code, end, &mark);
    }
    modules
}
