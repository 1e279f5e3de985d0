//! The table of accuracy, drawn small: the same seed gives the same table, and no
//! certainty is far from what it promises.
//!
//! `cargo bench --bench accuracy` measures at full size; this only fails where the rules or
//! the population have come apart since.

#[path = "../../benches/accuracy/bound.rs"]
mod bound;
#[path = "../../benches/accuracy/cases.rs"]
mod cases;
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
#[path = "../../benches/accuracy/table.rs"]
mod table;
#[path = "../../benches/accuracy/truths.rs"]
mod truths;

#[cfg(test)]
mod tests {
    use probecause::domain::diagnosis::rulebook::Rulebook;
    use probecause::model::cause::Certainty;

    use crate::accuracy::front_doors::FAULTS;
    use crate::accuracy::measure::{Measured, measure, names_no_cause};
    use crate::accuracy::table::{self, AIM_AMONG, AIMS, Share, Style};
    use crate::accuracy::truths::Stage;

    /// Enough for some thousands of `likely` verdicts, in a few seconds unoptimised.
    const CASES: u32 = 60;

    fn measured(seed: u64) -> Vec<Measured> {
        measure(&Rulebook::embedded().unwrap(), seed, CASES).unwrap()
    }

    fn last() -> usize {
        Stage::ALL.len() - 1
    }

    /// An aim is missed for sure only where the whole 95 % interval lies below it.
    #[track_caller]
    fn check(what: &str, share: Share, aim: f64) {
        assert!(share.cases > 0.0, "{what}: nothing was counted");
        assert!(share.high >= aim, "{what}: {share:?} lies below {aim}");
    }

    #[test]
    fn a_seed_gives_one_table_however_its_rows_are_shared_among_threads() {
        let style = Style { confusion: true };
        let [one, again] = [7, 7].map(|seed| table::table(seed, CASES, &measured(seed), style));
        assert_eq!(one, again);
        assert!(one.contains("simulated"), "a reader is told what this is");
    }

    #[test]
    fn every_certainty_keeps_its_aim_as_far_as_so_few_cases_can_tell() {
        let measured = measured(3);
        for (certainty, aim) in AIMS {
            let share = table::right_at(&measured, last(), certainty, true);
            check(certainty.as_str(), share, aim);
        }
        let among = table::among(&measured, last(), true);
        check("truth among the candidates", among, AIM_AMONG);
    }

    /// Look-alikes are drawn as often as everything else here, a hundred times what is
    /// assumed: only they may ever be called proven wrongly, and hardly any of them.
    #[test]
    fn nothing_that_a_rule_can_name_is_proven_to_be_something_else() {
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
    fn knowing_more_never_makes_the_rules_worse_at_gateways() {
        let measured = measured(3);
        let right = |stage: usize| -> f64 {
            let rows = FAULTS.iter().zip(&measured);
            let gateways = rows.filter(|(fault, _)| fault.door.is_gateway());
            gateways
                .map(|(fault, row)| fault.frequency * f64::from(row.tallies[stage].right))
                .sum()
        };
        let shares: Vec<f64> = (0..=last()).map(right).collect();
        assert!(shares[4] > shares[3] && shares[3] > shares[2], "{shares:?}");
        assert!(shares[2] >= shares[0], "{shares:?}");
    }
}
