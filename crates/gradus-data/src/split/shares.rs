//! Training, validation and test parts.

use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};

use super::STREAM_PARTS;
use super::classes::{ByKind, dense};
use super::controlled_rounding::{PARTS, UNIT, round_by_class};
use super::error::SplitError;
use super::time_order::TimeOrder;
use crate::error::Result;

/// What shares may add up to beyond 1: sums of decimals such as 0.7 + 0.2 + 0.1 are not exact.
const SUM_TOLERANCE: f64 = 1e-9;

/// The share of the rows that each part gets, from 0 to 1. What is missing to 1 is left out of all parts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// What is trained on.
    pub train: f64,
    /// What decides when to stop.
    pub validation: f64,
    /// What is only ever measured on.
    pub test: f64,
}

/// The rows of each part, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What is trained on.
    pub train: Vec<usize>,
    /// What decides when to stop.
    pub validation: Vec<usize>,
    /// What is only ever measured on.
    pub test: Vec<usize>,
}

impl Shares {
    /// Checks that each share is one, and that they are not more than everything.
    ///
    /// # Errors
    /// When a share is not from 0 to 1, or their sum is more than 1.
    pub fn validate(&self) -> Result<()> {
        let Shares {
            train,
            validation,
            test,
        } = *self;
        for (part, share) in self.named() {
            if !(0.0..=1.0).contains(&share) {
                return Err(SplitError::Share { part, share }.into());
            }
        }
        let sum = train + validation + test;
        if sum > 1.0 + SUM_TOLERANCE {
            return Err(SplitError::SharesSum {
                train,
                validation,
                test,
                sum,
            }
            .into());
        }
        Ok(())
    }

    /// Divides `rows` rows at random: each part's size is its share of them, rounded up or down.
    ///
    /// # Errors
    /// When the shares are none, or a part with a share would be empty.
    pub fn split_random(&self, rows: usize, seed: u64) -> Result<Parts> {
        self.split_stratified(&vec![0; rows], seed)
    }

    /// Divides rows so that each class, and all rows, have their share in each part, rounded up or down.
    ///
    /// # Errors
    /// As [`split_random`](Self::split_random).
    pub fn split_stratified(&self, labels: &[i64], seed: u64) -> Result<Parts> {
        let shares = self.in_units()?;
        let mut classes = ByKind::new(labels);
        let counts = round_by_class(&classes.sizes(), shares);
        let mut part_of = vec![LEFT_OUT; labels.len()];
        for (class, counts) in counts.iter().enumerate() {
            let rows = classes.of_mut(class);
            Rng::derive(seed, &[STREAM_PARTS, class as u64]).shuffle(rows);
            let mut rest = &*rows;
            for (part, &count) in counts.iter().enumerate() {
                let (mine, after) = rest.split_at(count);
                mine.iter().for_each(|&row| part_of[row as usize] = part as u8);
                rest = after;
            }
        }
        self.collect(&part_of, labels.len(), "rows")
    }

    /// Divides rows by whole groups, which come in a random order and go where most rows are wanting: no part gets more
    /// than its share and one group.
    ///
    /// # Errors
    /// As [`split_random`](Self::split_random).
    pub fn split_groups(&self, groups: &[i64], seed: u64) -> Result<Parts> {
        let shares = self.in_units()?;
        let (group_of, count) = dense(groups);
        let mut sizes = vec![0i64; count];
        group_of.iter().for_each(|&group| sizes[group as usize] += 1);
        let mut order: Vec<usize> = (0..count).filter(|&group| sizes[group] > 0).collect();
        Rng::derive(seed, &[STREAM_PARTS]).shuffle(&mut order);
        let mut wanting = shares.map(|share| i128::from(share) * groups.len() as i128);
        let mut part_of_group = vec![LEFT_OUT; count];
        for &group in &order {
            // The first of equals; `max_by_key` would take the last.
            let part = (0..PARTS).rev().max_by_key(|&part| wanting[part]).unwrap_or(0);
            wanting[part] -= i128::from(sizes[group]) * i128::from(UNIT);
            part_of_group[group] = part as u8;
        }
        let part_of: Vec<u8> = group_of
            .iter()
            .map(|&group| part_of_group[group as usize])
            .collect();
        self.collect(&part_of, order.len(), "groups")
    }

    /// Divides rows along time: validation is later than training, the test part latest; what is left out is oldest.
    /// Rows of one time are never parted, so sizes may differ from the shares by half of such a tie.
    ///
    /// # Errors
    /// As [`split_random`](Self::split_random), and when a time is NaN.
    pub fn split_time(&self, times: &[f64]) -> Result<Parts> {
        let [train, validation, test, left_out] = self.in_units()?;
        let order = TimeOrder::new(times)?;
        let pieces = [
            (LEFT_OUT, left_out),
            (TRAIN, train),
            (VALIDATION, validation),
            (TEST, test),
        ];
        let pieces: Vec<(u8, u64)> = pieces.into_iter().filter(|&(_, share)| share > 0).collect();
        let rows = times.len() as u128;
        let mut sum = 0;
        let wished: Vec<usize> = pieces[..pieces.len() - 1]
            .iter()
            .map(|&(_, share)| {
                sum += u128::from(share);
                ((rows * sum + u128::from(UNIT) / 2) / u128::from(UNIT)) as usize
            })
            .collect();
        let mut part_of = vec![LEFT_OUT; times.len()];
        // Too few different times for all parts: the last ones stay empty, of which `collect` complains.
        let cuts = order.nearest_cuts(&wished).unwrap_or_default();
        let mut start = 0;
        for (index, &(part, _)) in pieces.iter().enumerate() {
            let end = cuts.get(index).copied().unwrap_or(order.rows.len());
            order.rows[start..end]
                .iter()
                .for_each(|&row| part_of[row as usize] = part);
            start = end;
        }
        self.collect(&part_of, order.times(), "different times")
    }

    fn named(&self) -> [(&'static str, f64); 3] {
        [
            ("train", self.train),
            ("validation", self.validation),
            ("test", self.test),
        ]
    }

    /// The shares as whole numbers of [`UNIT`], and what they leave.
    fn in_units(&self) -> Result<[u64; PARTS]> {
        self.validate()?;
        let mut rest = UNIT;
        let [train, validation, test] = self.named().map(|(_, share)| {
            // Rounded thirds may be one over.
            let units = ((share * UNIT as f64).round() as u64).min(rest);
            rest -= units;
            units
        });
        // 1/3 + 1/3 + 1/3 in nine decimals is one short of everything, and that one is nobody's share.
        let all = (1.0 - self.train - self.validation - self.test).abs() < SUM_TOLERANCE;
        Ok(match all {
            true if self.train > 0.0 => [train + rest, validation, test, 0],
            _ => [train, validation, test, rest],
        })
    }

    fn collect(&self, part_of: &[u8], units: usize, unit: &'static str) -> Result<Parts> {
        let of =
            |part: u8| -> Vec<usize> { (0..part_of.len()).filter(|&row| part_of[row] == part).collect() };
        let parts = Parts {
            train: of(TRAIN),
            validation: of(VALIDATION),
            test: of(TEST),
        };
        let sizes = [parts.train.len(), parts.validation.len(), parts.test.len()];
        for ((part, share), size) in self.named().into_iter().zip(sizes) {
            if share > 0.0 && size == 0 {
                return Err(SplitError::EmptyPart {
                    part,
                    share,
                    rows: units,
                    unit,
                }
                .into());
            }
        }
        Ok(parts)
    }
}

/// Places of the parts among the columns of a rounding.
const TRAIN: u8 = 0;
const VALIDATION: u8 = 1;
const TEST: u8 = 2;
const LEFT_OUT: u8 = 3;
