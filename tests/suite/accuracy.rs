//! Runs the accuracy benchmark with few cases: a seed always gives the same table, and no
//! certainty is right clearly less often than its aim.
//!
//! `cargo bench --bench accuracy` measures with many cases. This test only detects that the
//! rules and the population no longer fit together.

#[path = "../../benches/accuracy/bound.rs"]
mod bound;
#[path = "../../benches/accuracy/cases.rs"]
mod cases;
#[path = "../../benches/accuracy/configuration.rs"]
mod configuration;
#[path = "../../benches/accuracy/evidence.rs"]
mod evidence;
#[path = "../../benches/accuracy/front_doors.rs"]
mod front_doors;
#[path = "../../benches/accuracy/log_lines.rs"]
mod log_lines;
#[path = "../../benches/accuracy/measure.rs"]
mod measure;
#[path = "../../benches/accuracy/population.rs"]
mod population;
#[path = "../../benches/accuracy/random.rs"]
mod random;
#[path = "../../benches/accuracy/resources.rs"]
mod resources;
#[path = "../../benches/accuracy/table.rs"]
mod table;
#[path = "../../benches/accuracy/truths.rs"]
mod truths;

#[cfg(test)]
mod tests {
    use probecause::domain::diagnosis::rulebook::Rulebook;
    use probecause::model::cause::Certainty;

    use crate::accuracy::front_doors::{Door, FAULTS, Kind};
    use crate::accuracy::measure::{Measured, measure, names_no_cause};
    use crate::accuracy::table::{self, AIM_AMONG, AIMS, Share, Style};
    use crate::accuracy::truths::Stage;

    /// Cases per row: thousands of `likely` verdicts, in a few seconds without optimization.
    const CASES: u32 = 60;

    fn measured(seed: u64) -> Vec<Measured> {
        measure(&Rulebook::embedded().unwrap(), seed, CASES).unwrap()
    }

    fn last_stage() -> usize {
        Stage::ALL.len() - 1
    }

    /// Fails if the whole 95 % interval is below the aim.
    #[track_caller]
    fn check(what: &str, share: Share, aim: f64) {
        assert!(share.cases > 0.0, "{what}: no cases");
        assert!(share.high >= aim, "{what}: {share:?} is below {aim}");
    }

    #[test]
    fn a_seed_always_gives_the_same_table() {
        let style = Style { confusion: true };
        let [one, again] = [7, 7].map(|seed| table::table(seed, CASES, &measured(seed), style));
        assert_eq!(one, again);
        assert!(one.contains("simulated"), "the heading says `simulated`");
    }

    #[test]
    fn no_certainty_is_clearly_below_its_aim() {
        let measured = measured(3);
        for aim in AIMS {
            let (certainty, stage) = (aim.certainty, aim.stage);
            let share = table::right_at(&measured, stage.index(), certainty, true);
            let what = format!("{}, {}", certainty.as_str(), stage.name());
            check(&what, share, aim.assumed);
        }
        let among = table::among(&measured, last_stage(), true);
        check("truth among the candidates", among, AIM_AMONG);
    }

    /// Here look-alikes are as frequent as faults, up to a hundred times the assumed
    /// frequency. Only they may have a wrong proof, in at most one of twenty cases.
    #[test]
    fn no_wrong_cause_is_proven_for_a_fault_that_a_rule_names() {
        for (fault, row) in FAULTS.iter().zip(measured(3)) {
            let tally = row.tallies.last().unwrap();
            let (given, right) = tally
                .certainties
                .get(&Certainty::Proven)
                .copied()
                .unwrap_or((0, 0));
            let wrong = given - right;
            let allowed = if names_no_cause(fault.truth) {
                CASES / 20
            } else {
                0
            };
            assert!(
                wrong <= allowed,
                "{}: {wrong} of {given} wrong",
                fault.row()
            );
        }
    }

    #[test]
    fn more_evidence_never_makes_the_rules_less_accurate_at_gateways() {
        let measured = measured(3);
        let right = |stage: usize| -> f64 {
            let rows = FAULTS.iter().zip(&measured);
            let gateways = rows.filter(|(fault, _)| fault.door.is_gateway());
            gateways
                .map(|(fault, row)| fault.frequency * f64::from(row.tallies[stage].right))
                .sum()
        };
        let shares = Stage::ALL.map(|stage| right(stage.index()));
        let [outside, _, history, metrics, configuration, logs, all] = shares;
        assert!(history >= outside && metrics > history, "{shares:?}");
        assert!(configuration > metrics && logs > metrics, "{shares:?}");
        assert!(all > configuration && all > logs, "{shares:?}");
    }

    /// With metrics alone, these faults are corroborated or proven less often.
    #[test]
    fn the_configuration_shows_missing_permissions_functions_and_targets() {
        let measured = measured(3);
        for (fault, row) in FAULTS.iter().zip(&measured) {
            let shown = |stage: Stage| {
                let certainties = &row.tallies[stage.index()].certainties;
                [Certainty::Corroborated, Certainty::Proven]
                    .map(|certainty| certainties.get(&certainty).map_or(0, |counts| counts.1))
                    .iter()
                    .sum::<u32>()
            };
            let is_shown = matches!(
                (fault.door, fault.kind),
                (
                    Door::HttpApi | Door::RestApi,
                    Kind::Permission | Kind::Deleted
                ) | (Door::Alb, Kind::RouteNotFound)
            );
            if is_shown {
                let (before, after) = (shown(Stage::Metrics), shown(Stage::Configuration));
                assert!(after > before, "{}: {before}, {after}", fault.row());
            }
        }
    }

    #[test]
    fn each_stage_comes_after_its_base() {
        for (index, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage.index(), index);
            assert!(stage.base().is_none_or(|base| base.index() < index));
        }
    }
}
