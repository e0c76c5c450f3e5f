//! Eigenvalues of small symmetric matrices.

/// Sweeps after which rotations have long stopped to change anything: convergence is quadratic.
const MOST_SWEEPS: usize = 60;

/// Eigenvalues and eigenvectors (`vectors[row][k]` belongs to `values[k]`) of a symmetric matrix, by Jacobi's rotations.
pub(super) struct Eigen {
    pub values: Vec<f64>,
    pub vectors: Vec<Vec<f64>>,
}

impl Eigen {
    pub(super) fn of(matrix: &[Vec<f64>]) -> Eigen {
        let n = matrix.len();
        let mut a: Vec<Vec<f64>> = matrix.to_vec();
        let mut vectors = identity(n);
        for _ in 0..MOST_SWEEPS {
            let off: f64 = (0..n)
                .flat_map(|p| (p + 1..n).map(move |q| (p, q)))
                .map(|(p, q)| a[p][q] * a[p][q])
                .sum();
            let diagonal: f64 = (0..n).map(|p| a[p][p] * a[p][p]).sum();
            if off <= 1e-32 * diagonal {
                break;
            }
            for p in 0..n {
                for q in p + 1..n {
                    rotate(&mut a, &mut vectors, p, q);
                }
            }
        }
        Eigen {
            values: (0..n).map(|k| a[k][k]).collect(),
            vectors,
        }
    }

    /// The symmetric matrix with the same vectors and other values.
    pub(super) fn with_values(&self, value: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
        let n = self.values.len();
        let values: Vec<f64> = self.values.iter().map(|&v| value(v)).collect();
        let entry = |row: usize, column: usize| {
            (0..n)
                .map(|k| self.vectors[row][k] * values[k] * self.vectors[column][k])
                .sum()
        };
        (0..n)
            .map(|row| (0..n).map(|column| entry(row, column)).collect())
            .collect()
    }
}

pub(super) fn identity(n: usize) -> Vec<Vec<f64>> {
    (0..n)
        .map(|row| (0..n).map(|column| f64::from(u8::from(row == column))).collect())
        .collect()
}

/// Turns rows and columns `p` and `q` so that their common entry becomes 0.
fn rotate(a: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let sign = if theta < 0.0 { -1.0 } else { 1.0 };
    let t = sign / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for row in a.iter_mut().chain(vectors.iter_mut()) {
        let (x, y) = (row[p], row[q]);
        row[p] = c * x - s * y;
        row[q] = s * x + c * y;
    }
    let (upper, lower) = a.split_at_mut(q);
    for (x, y) in upper[p].iter_mut().zip(&mut lower[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_the_matrix_again() {
        let matrix: Vec<Vec<f64>> = (0..6)
            .map(|i| {
                (0..6)
                    .map(|j| f64::sin((i * j) as f64) + f64::sin((j * i) as f64) + (i + j) as f64)
                    .collect()
            })
            .collect();
        let again = Eigen::of(&matrix).with_values(|value| value);
        for (row, expected) in again.iter().zip(&matrix) {
            for (got, expected) in row.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-12, "{got} {expected}");
            }
        }
    }
}
