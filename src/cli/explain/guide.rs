//! Formats the last part of the Markdown page `config/rules/README.md`: the guide to writing rules,
//! with an example and the list of all keys, conditions, and facts.

use std::fmt::Write as _;

use crate::domain::diagnosis::catalog::{CATALOG, FactType};

/// The example of a complete rule. A test loads it as a custom rule.
const EXAMPLE: &str = include_str!("../../../config/rules.d/maintenance-page.toml");

const BEGIN: &str = "## Write your own rules

1. Create a directory and name it in the configuration: `rules_dir = \"rules.d\"`, relative to
   the configuration file. Every `*.toml` file in the directory is read, sorted by name.
2. Write a rule with an example and a counterexample. To see the facts of a real failure, run
   `probecause probe URL`, or `probecause diagnose FILE` for the output of `curl -v`.
3. Run `probecause check probecause.toml`, or `probecause check --rules rules.d` for the
   rules alone. The command parses all rules, runs their examples, and reports each problem
   with the file, the line, and the correction.
4. Try the rule with `probecause diagnose --rules rules.d FILE` and
   `probecause explain --verbose --rules rules.d CAUSE`.
5. Reload the daemon (SIGHUP or `POST /-/reload`). If a rule has a problem, the reload fails
   and the daemon keeps the previous configuration and rules.

Custom rules come before the built-in rules, so they win ties. A custom rule with the `id` of a
built-in rule replaces it, and `check` reports that. A rule may name a cause of this page or
a new one, as in this example (`config/rules.d/maintenance-page.toml`):

```toml
";

const KEYS: &str = "```

### Keys of a rule

| key | required | meaning |
| --- | --- | --- |
| `id` | yes | the unique name of the rule: 2 to 64 lowercase letters, digits, and hyphens |
| `cause` | no | the cause, if it is not the `id`; several rules may name the same cause |
| `title` | yes | the meaning of the cause, in one sentence without a period, at most 80 characters; `{status}` in it stands for the status of the response |
| `owner` | yes | who has to act: `service`, `platform`, `network`, `client`, `prober`, or `unknown` |
| `hop` | no | the hop at which the request failed: `client`, `edge`, `gateway`, `upstream`, `function`, or `application` |
| `certainty` | no | the highest certainty the rule can reach: `possible`, `likely` (default), `corroborated`, or `proven` |
| `weight` | no | the weight relative to other matching rules, greater than 0; default 1 |
| `fallback` | no | `true`: the rule is used only if no ordinary rule matches |
| `next` | yes | a list of sentences: the next steps, the most useful first |
| `see` | yes | the https URL of the page that the rule is based on: your runbook or the vendor's manual |
| `when` | yes | the conditions, all of which must hold |
| `weigh` | no | a list of `{ when = …, factor = … }`: the weight is multiplied by each factor whose conditions hold |
| `example` | yes | a list of `{ given = … }`: facts that must be diagnosed as the cause of the rule |
| `counterexample` | yes | a list of `{ given = …, because = \"…\" }`: facts that must not be diagnosed as the cause of the rule |

A `phase` at the top of a file is a condition of each of its rules and part of each of their
examples. The daemon never publishes the text of a body, only the pattern that it matches.

### Texts of a cause

Several rules may name the same cause, each with a title for the response that it recognizes. A
`[[cause]]` table describes the cause itself, for lists and explanations of causes:

```toml
[[cause]]
id    = \"upstream-timeout\"
title = \"The upstream did not respond to the gateway or proxy in time\"
```

| key | required | meaning |
| --- | --- | --- |
| `id` | yes | the cause; at least one rule must name it |
| `title` | yes | the meaning of the cause, in one sentence without a period, at most 80 characters and without `{status}` |
| `next` | no | a list of sentences: the next steps that apply to every rule of the cause |
| `see` | no | the https URL of a page about the cause |

If the table or one of its keys is missing, the text of the rule whose `id` is the cause is used,
or else that of the first rule that names the cause. A verdict for one response always has the title
and the next steps of the rule that matches. A custom `[[cause]]` replaces the built-in one.

### Conditions

| condition | holds if the fact |
| --- | --- |
| `status = 503` or `unmet = \"status\"` | has this value |
| `status = [500, 503]` | has one of these values |
| `header.server = \"awselb/*\"` | is text that matches this pattern; `*` matches any run of characters |
| `phase.tls = { at_least = 1, below = 5 }` | is a number in this range; one bound may be omitted |
| `header.retry-after = { present = true }` | is known; with `false`: is unknown |

An unknown fact meets only the condition `present = false`. All conditions of a rule must
hold; for an *or*, write two rules with the same `cause`. `check` warns about a rule that can
never determine the cause because, whenever the rule matches, another rule outweighs it. `check`
compares the conditions fact by fact, so it does not find a rule that only several other rules
together outweigh, or facts that never occur together.

### Facts

A fact with a list of words accepts only these words. `probecause explain --facts` prints the
same list.

| fact | type | meaning |
| --- | --- | --- |
";

/// Appends the guide to writing rules to the Markdown page.
pub(super) fn write(page: &mut String) {
    page.push_str(BEGIN);
    page.push_str(EXAMPLE);
    page.push_str(KEYS);
    for info in CATALOG {
        let kind = match info.kind {
            FactType::Text => "text".to_owned(),
            FactType::Number => "number".to_owned(),
            FactType::Scalar => "text or number".to_owned(),
            FactType::Word(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(", ")
            }
        };
        let default = info
            .default
            .map_or_else(String::new, |default| format!("; default `{default}`"));
        let _ = writeln!(
            page,
            "| `{}` | {kind}{default} | {} |",
            info.name, info.meaning
        );
    }
}
