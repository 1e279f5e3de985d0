//! `probecause manual`: man pages and shell completions, made from the commands themselves,
//! so that neither can say something else than `--help`.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Exit, Terminal, print};

/// Arguments of `manual`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print completions for this shell.
    #[arg(long, value_name = "SHELL", conflicts_with = "output")]
    completions: Option<Shell>,
    /// Write every man page, and completions for every common shell, into this directory.
    #[arg(long, value_name = "DIR", required_unless_present = "completions")]
    output: Option<PathBuf>,
}

/// The shells whose completions packages carry.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Carries the command out.
///
/// # Errors
/// A message for the user: a file or standard output cannot be written.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    if let Some(shell) = args.completions {
        print(&completions(shell))?;
    }
    if let Some(folder) = &args.output {
        write_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(Exit::Fine)
}

fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "probecause", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn write_all(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)?;
    for shell in SHELLS {
        std::fs::write(folder.join(file_name(shell)), completions(shell))?;
    }
    Ok(())
}

/// As the shell looks for it.
fn file_name(shell: Shell) -> &'static str {
    match shell {
        Shell::Zsh => "_probecause",
        Shell::Fish => "probecause.fish",
        _ => "probecause.bash",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_page_and_every_shell_its_completions() {
        let folder = tempfile::tempdir().unwrap();
        write_all(folder.path()).unwrap();
        for (name, part) in [
            ("probecause.1", "names the probable cause"),
            ("probecause-run.1", "Run the daemon"),
            ("probecause-alarms-plan.1", "alarms"),
            ("probecause.bash", "complete -F _probecause"),
            ("_probecause", "#compdef probecause"),
            ("probecause.fish", "complete -c probecause"),
        ] {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
            assert!(text.contains(part), "{name}:\n{text}");
        }
    }
}
