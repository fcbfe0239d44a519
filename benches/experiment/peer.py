"""One other tool over the same file: `peer.py gbstats|statsmodels FILE METRICS`.

Reads the file with pandas, compares B and C with A on every metric, and prints the first estimate, so that it can be seen that all
tools answer the same question. The whole process is what is measured, as it is for windvane.
"""

import sys
import warnings

import pandas as pd

warnings.filterwarnings("ignore")


def gbstats(frame, metrics):
    from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest
    from gbstats.models.statistics import ProportionStatistic, SampleMeanStatistic

    squares = frame[metrics].pow(2).add_suffix("_sq")
    sums = pd.concat([frame, squares], axis=1).drop(columns="unit").groupby("arm").sum()
    counts = frame.groupby("arm")[metrics].count()
    shares = metrics[len(metrics) - len(metrics) // 5 :]

    def statistic(arm, metric):
        n, total = int(counts.loc[arm, metric]), float(sums.loc[arm, metric])
        if metric in shares:
            return ProportionStatistic(n=n, sum=int(total))
        return SampleMeanStatistic(n=n, sum=total, sum_squares=float(sums.loc[arm, f"{metric}_sq"]))

    config = FrequentistConfig(difference_type="absolute")
    results = [
        TwoSidedTTest(statistic("A", metric), statistic(arm, metric), config).compute_result()
        for metric in metrics
        for arm in ("B", "C")
    ]
    return results[0].expected


def statsmodels(frame, metrics):
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    arms = {arm: rows for arm, rows in frame.groupby("arm")}
    first = None
    for metric in metrics:
        for arm in ("B", "C"):
            compared = CompareMeans(DescrStatsW(arms[arm][metric]), DescrStatsW(arms["A"][metric]))
            _, p_value, _ = compared.ttest_ind(usevar="unequal")
            low, high = compared.tconfint_diff(usevar="unequal")
            first = first or ((low + high) / 2, p_value)
    return first[0]


def main():
    tool, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    frame = pd.read_parquet(path)
    metrics = [f"m{i}" for i in range(count)]
    estimate = {"gbstats": gbstats, "statsmodels": statsmodels}[tool](frame, metrics)
    print(f"{tool}: m0 of B minus A is {estimate:.9f}")


if __name__ == "__main__":
    main()
