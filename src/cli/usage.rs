//! A wrong command line, said as every other error is.

use super::{Cli, Complaint, Exit};
use clap::{
    Command, CommandFactory as _,
    error::{ContextKind, ContextValue, Error, ErrorKind},
};
use std::{
    error::Error as _,
    ffi::{OsStr, OsString},
    num::ParseIntError,
    process::ExitCode,
};

/// Whether JSON was asked for, on a command line that may be wrong.
pub fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().skip(1).take_while(|word| *word != "--").any(|word| word == "--json")
}

/// Prints the help that was asked for, or says what is wrong.
pub fn answer(error: &Error, arguments: &[OsString]) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Styled where the terminal wants it; a closed pipe is no failure.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        _ => complaint(error, arguments).say(wants_json(arguments)),
    }
}

fn complaint(error: &Error, arguments: &[OsString]) -> Complaint {
    let command = command_of(arguments);
    let see = format!("`{command} --help` shows what it takes");
    let text = |kind| context(error, kind);
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let next = format!("`{command} --help` lists them; `bwvdock status` shows the dock");
            return Complaint::new(Exit::Usage, format!("`{command}` needs a command"), next);
        }
        ErrorKind::InvalidSubcommand => {
            let given = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            let what = format!("`{command}` has no command {given}");
            let meant = text(ContextKind::SuggestedSubcommand)
                .map_or_else(String::new, |meant| format!("did you mean {meant}? "));
            let next = format!("{meant}`{command} --help` lists them");
            return Complaint::new(Exit::Usage, what, next);
        }
        ErrorKind::UnknownArgument => {
            let what = format!("`{command}` takes no {argument}");
            let meant = text(ContextKind::SuggestedArg)
                .map_or_else(String::new, |meant| format!("did you mean {meant}? "));
            return Complaint::new(Exit::Usage, what, meant + &see);
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => wrong_value(error, &argument),
        ErrorKind::MissingRequiredArgument => {
            let wanted = argument.replace(['<', '>'], "").replace('|', " or ");
            format!("`{command}` needs {wanted}")
        }
        ErrorKind::ArgumentConflict => conflict(error, &argument),
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    };
    Complaint::new(Exit::Usage, what, see)
}

fn wrong_value(error: &Error, argument: &str) -> String {
    let value = context(error, ContextKind::InvalidValue).unwrap_or_default();
    let why = match (error.source(), context(error, ContextKind::ValidValue)) {
        (Some(source), _) if source.is::<ParseIntError>() => "a whole number is needed".to_owned(),
        (Some(source), _) => source.to_string(),
        (None, Some(values)) => format!("it is one of {values}"),
        (None, None) => String::new(),
    };
    let argument = named(argument);
    match (value.is_empty(), why.is_empty()) {
        (true, true) => format!("{argument} needs a value"),
        (true, false) => format!("{argument} needs a value: {why}"),
        (false, true) => format!("{argument} cannot be \"{value}\""),
        (false, false) => format!("{argument} cannot be \"{value}\": {why}"),
    }
}

fn conflict(error: &Error, argument: &str) -> String {
    let argument = named(argument);
    let prior = context(error, ContextKind::PriorArg).map_or_else(String::new, |p| named(&p));
    match prior.is_empty() || prior == argument {
        true => format!("{argument} may be given only once"),
        false => format!("{argument} does not go together with {prior}"),
    }
}

/// `--stage <STAGE>` is `--stage`, `<ID>` is `ID`.
fn named(argument: &str) -> String {
    match argument.split_once(" <") {
        Some((name, _)) => name.to_owned(),
        None => argument.replace(['<', '>', '[', ']'], ""),
    }
}

fn context(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(all) if !all.is_empty() => Some(all.join(", ")),
        _ => None,
    }
}

/// As much of the command as was understood: `bwvdock custody show`.
fn command_of(arguments: &[OsString]) -> String {
    let mut command: &Command = &Cli::command();
    let mut path = vec!["bwvdock".to_owned()];
    for word in arguments.iter().skip(1).filter_map(|word| OsStr::to_str(word)) {
        if let Some(found) = command.find_subcommand(word) {
            path.push(word.to_owned());
            command = found;
        }
    }
    path.join(" ")
}
