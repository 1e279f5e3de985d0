//! The part of the page for those who write rules: a worked example, every key, every
//! test, every fact.

use std::fmt::Write as _;

use crate::domain::diagnosis::catalogue::{CATALOGUE, FactType};

/// A rule that works: a test has it looked through like any operator's.
const EXAMPLE: &str = include_str!("../../../config/rules.d/maintenance-page.toml");

const BEGIN: &str = "## Write your own rules

1. Make a directory and name it in the configuration: `rules_dir = \"rules.d\"`, relative to
   the configuration file. Every `*.toml` in it is read, in the order of the names.
2. Write a rule, with an example and a counterexample. See the facts of a real failure with
   `probecause probe URL`, or with `probecause diagnose FILE` for the text of `curl -v`.
3. Run `probecause check probecause.toml`, or `probecause check --rules rules.d` for the
   rules alone. It reads everything, runs the examples, and says for each mistake the file,
   the line and the mend.
4. Try it: `probecause diagnose --rules rules.d FILE` and
   `probecause explain --rules rules.d CAUSE`.
5. Reload the daemon (SIGHUP, or `POST /-/reload`). Rules with a mistake are refused like any
   other mistake in the configuration: the old ones go on.

Your rules are read before the built-in ones: of two that weigh the same, yours comes
first. A rule with the `id` of a built-in one takes its place, and `check` says so. A rule
may name a cause of this page or one of its own, such as here (`config/rules.d/maintenance-page.toml`):

```toml
";

const KEYS: &str = "```

### Keys of a rule

| key | needed | what it says |
| --- | --- | --- |
| `id` | yes | the rule's name: lower-case letters, digits and hyphens, 2 to 64 of them; unique |
| `cause` | no | the cause it names, where that is not its `id`; several rules may name one cause |
| `title` | yes | what the cause means, in one sentence without a full stop, at most 80 characters |
| `owner` | yes | who acts: `service`, `platform`, `network`, `client` or `prober` |
| `certainty` | no | the most it can earn: `possible`, `likely` (the default), `corroborated` or `proven` |
| `weight` | no | its weight among rivals, above 0; 1 by default |
| `fallback` | no | `true`: looked at only where no other rule fits |
| `next` | yes | a list of sentences: what to do, most useful first |
| `see` | yes | the https page it rests on: your runbook, or the vendor's manual |
| `when` | yes | the facts, all of which must hold |
| `weigh` | no | a list of `{ when = …, factor = … }`: the weight is multiplied by each factor whose facts hold |
| `example` | yes | a list of `{ given = … }`: facts that must be diagnosed as its cause |
| `counterexample` | yes | a list of `{ given = …, because = \"…\" }`: facts that must be diagnosed as something else |

A `phase` at the top of a file is a condition of each of its rules, and given in each of
their examples. Body texts leave the daemon only as the pattern of the rule that they fit.

### What a fact may be asked

| written | holds if the fact |
| --- | --- |
| `status = 503` or `unmet = \"status\"` | is this |
| `status = [500, 503]` | is one of these |
| `header.server = \"awselb/*\"` | has this shape, where it is a text; `*` stands for any run of characters |
| `phase.tls = { at_least = 1, below = 5 }` | is a number in this range; one bound may be left out |
| `header.retry-after = { present = true }` | is known; `false`: is not |

A fact that is not known holds for none of them but `present = false`. All conditions of a
rule must hold; for an *or* write two rules that name one `cause`. `check` warns of a rule
that can never lead because another one fits and outweighs it wherever it fits. It compares
the conditions fact by fact: that several rules together leave it no place, or that some
facts never go together in the world, it does not see.

### Facts

In words: a fact that is one of some words refuses any other. `probecause explain --facts`
prints this list too.

| fact | type | meaning |
| --- | --- | --- |
";

/// Appends the part.
pub(super) fn write(page: &mut String) {
    page.push_str(BEGIN);
    page.push_str(EXAMPLE);
    page.push_str(KEYS);
    for info in CATALOGUE {
        let kind = match info.kind {
            FactType::Text => "text".to_owned(),
            FactType::Number => "number".to_owned(),
            FactType::Word(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(", ")
            }
        };
        let default = info
            .default
            .map_or_else(String::new, |default| format!("; `{default}` unless known"));
        let _ = writeln!(
            page,
            "| `{}` | {kind}{default} | {} |",
            info.name, info.meaning
        );
    }
}
