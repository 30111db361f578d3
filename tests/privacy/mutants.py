"""List bugs of differential privacy to be seeded one by one: in which module, which text becomes which, what kills it.

Each check of ``checks.CHECKS`` is handed a set of modules; on the true ones it passes, on those with a bug it fails.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """Hold a bug: ``old`` occurs once in the module and becomes ``new``; ``check`` fails then."""

    module: str
    old: str
    new: str
    check: str


MUTANTS: dict[str, Mutant] = {
    # ---- noise
    "gaussian noise halved": Mutant(
        "noise", "make_gaussian(*space, scale=float(scale)", "make_gaussian(*space, scale=float(scale) / 2", "laws"
    ),
    "laplace noise halved": Mutant(
        "noise", "make_laplace(*space, scale=float(scale)", "make_laplace(*space, scale=float(scale) / 2", "laws"
    ),
    "noise of a choice halved": Mutant(
        "noise", "measure, scale=float(scale)", "measure, scale=float(scale) / 2", "laws"
    ),
    "exponential instead of Gumbel noise": Mutant(
        "noise", "dp.zero_concentrated_divergence()", "dp.max_divergence()", "laws"
    ),
    "rounded float noise": Mutant(
        "noise",
        "np.asarray(self._gaussian(scale)([0] * size), dtype=np.int64)",
        "np.rint(np.random.default_rng().normal(0.0, scale, size)).astype(np.int64)",
        "laws",
    ),
    "one draw for all cells": Mutant(
        "noise",
        "np.asarray(self._gaussian(scale)([0] * size), dtype=np.int64)",
        "np.repeat(np.asarray(self._gaussian(scale)([0]), dtype=np.int64), size)",
        "fresh_noise",
    ),
    "gaussian noise cut off at 32 bits": Mutant(
        "noise", 'dp.atom_domain(T="i64")), dp.l2_distance', "dp.atom_domain(T=int)), dp.l2_distance", "fresh_noise"
    ),
    "laplace noise cut off at 32 bits": Mutant(
        "noise",
        'dp.atom_domain(T="i64")), dp.l1_distance(T="i64")',
        "dp.atom_domain(T=int)), dp.l1_distance(T=int)",
        "fresh_noise",
    ),
    "scales beyond 64 bits": Mutant("noise", "0 < scale <= LARGEST_SCALE", "0 < scale", "refused_noise"),
    "no noise at a scale of zero": Mutant(
        "noise", "0 < scale <= LARGEST_SCALE", "0 <= scale <= LARGEST_SCALE", "refused_noise"
    ),
    "seeded noise called private": Mutant("noise", "private = False", "private = True", "refused_noise"),
    "truth told more often": Mutant("noise", "float(truth), T=int", "(1 + float(truth)) / 2, T=int", "laws"),
    # ---- accounting
    "pure epsilon costs a fourth": Mutant(
        "accounting", "Fraction(epsilon) ** 2 / 2)", "Fraction(epsilon) ** 2 / 8)", "costs"
    ),
    "pure epsilon costs epsilon squared": Mutant(
        "accounting", "Fraction(epsilon) ** 2 / 2)", "Fraction(epsilon) ** 2)", "costs"
    ),
    "a choice costs a fourth": Mutant(
        "accounting", "Fraction(epsilon) ** 2 / 8)", "Fraction(epsilon) ** 2 / 32)", "costs"
    ),
    "gaussian cost halved": Mutant("accounting", "(2 * Fraction(scale) ** 2)", "(4 * Fraction(scale) ** 2)", "costs"),
    "sensitivity not squared": Mutant("accounting", "Fraction(sensitivity) ** 2 /", "Fraction(sensitivity) /", "costs"),
    "costs rounded to the nearest": Mutant(
        "accounting", "near if Fraction(near) >= exact else math.nextafter(near, math.inf)", "near", "rounding"
    ),
    "scale of gaussian noise rounded to the nearest": Mutant(
        "accounting", "while gaussian_rho(sensitivity=sensitivity, scale=scale) > rho:", "while False:", "rounding"
    ),
    "epsilon of a choice rounded to the nearest": Mutant(
        "accounting", "while exponential_rho(epsilon) > rho:", "while False:", "rounding"
    ),
    "order left out of the conversion": Mutant("accounting", "return alpha * rho + (", "return rho + (", "conversion"),
    "delta left out of the conversion": Mutant(
        "accounting", "(-math.log(delta) - log_alpha) / rest", "-log_alpha / rest", "conversion"
    ),
    "a term of the conversion twice": Mutant(
        "accounting", "/ rest + order - log_alpha", "/ rest + 2 * (order - log_alpha)", "conversion"
    ),
    "conversion a hundredth too low": Mutant("accounting", "* (1 + SLACK) + SLACK)", "* 0.99)", "conversion"),
    "inverse from the wrong side": Mutant(
        "accounting", "    return low\n", "    return high * (1 + 1e-9)\n", "conversion"
    ),
    # ---- mechanisms
    "counts noised for a unit of one row": Mutant(
        "mechanisms",
        "scale = gaussian_scale(sensitivity=sensitivity, rho=rho)\n    return own",
        "scale = gaussian_scale(sensitivity=1.0, rho=rho)\n    return own",
        "scales",
    ),
    "half the noise on counts": Mutant(
        "mechanisms", "own.size, scale=scale).reshape", "own.size, scale=scale / 2).reshape", "scales"
    ),
    "no noise where counts are zero": Mutant(
        "mechanisms",
        "own + noise.discrete_gaussian(own.size, scale=scale).reshape(own.shape)",
        "own + (own > 0) * noise.discrete_gaussian(own.size, scale=scale).reshape(own.shape)",
        "noised",
    ),
    "the same noise on all counts": Mutant(
        "mechanisms",
        "noise.discrete_gaussian(own.size, scale=scale).reshape(own.shape)",
        "noise.discrete_gaussian(1, scale=scale)",
        "noised",
    ),
    "exact counts answered": Mutant(
        "mechanisms", "return own + noise.discrete_laplace(", "return own + 0 * noise.discrete_laplace(", "noised"
    ),
    "laplace epsilon doubled": Mutant(
        "mechanisms",
        "laplace_scale(sensitivity, epsilon=epsilon)).reshape",
        "laplace_scale(sensitivity, epsilon=2 * epsilon)).reshape",
        "scales",
    ),
    "laplace noise for a unit of one row": Mutant(
        "mechanisms",
        "laplace_scale(sensitivity, epsilon=epsilon)).reshape",
        "laplace_scale(1.0, epsilon=epsilon)).reshape",
        "scales",
    ),
    "laplace scale rounded to the nearest": Mutant(
        "mechanisms",
        "while math.isfinite(scale) and Fraction(scale) * Fraction(epsilon) < Fraction(sensitivity):",
        "while False:",
        "rounding",
    ),
    "sensitivity of scores halved": Mutant(
        "mechanisms", "laplace_scale(2.0 * sensitivity,", "laplace_scale(sensitivity,", "scales"
    ),
    "categories forgotten in random answers": Mutant(
        "mechanisms", "(categories - 1) * math.exp(-epsilon)", "math.exp(-epsilon)", "truth"
    ),
    "truth rounded up": Mutant("mechanisms", "truth * (1 - 1e-15)", "truth * (1 + 1e-15)", "truth"),
    "threshold for one row in a label": Mutant(
        "mechanisms", "(threshold - most_rows - 1)", "(threshold - 1)", "threshold"
    ),
    "threshold for one label of a unit": Mutant(
        "mechanisms", "many = most_rows * _normal", "many = _normal", "threshold"
    ),
    "threshold for noise of one row": Mutant(
        "mechanisms",
        "gaussian_scale(sensitivity=float(most_rows), rho=rho)\n\n    def",
        "gaussian_scale(sensitivity=1.0, rho=rho)\n\n    def",
        "threshold",
    ),
    "threshold that knows no delta": Mutant(
        "mechanisms", "while failing(high) > delta:", "while failing(high) > 1.0:", "threshold"
    ),
    "threshold of a tenfold delta": Mutant(
        "mechanisms", "    high = most_rows + 1\n", "    delta *= 10\n    high = most_rows + 1\n", "threshold"
    ),
    "labels noised for a unit of one row": Mutant(
        "mechanisms", "sensitivity=float(most_rows), noise", "sensitivity=1.0, noise", "scales"
    ),
    "labels from one below the threshold": Mutant(
        "mechanisms", "if count >= threshold}", "if count >= threshold - 1}", "labels"
    ),
    "labels by their exact counts": Mutant(
        "mechanisms", "if count >= threshold}", "if counts[label] >= threshold}", "labels"
    ),
    "labels in the order of the data": Mutant("mechanisms", "sorted(label for", "list(label for", "labels"),
    "labels that nobody holds": Mutant("mechanisms", "in counts.items() if count > 0", "in counts.items()", "labels"),
    "range of the exact counts": Mutant(
        "mechanisms", "np.flatnonzero(noisy >", "np.flatnonzero(np.asarray(counts) >", "noisy_only"
    ),
    "number of rows not noised": Mutant(
        "mechanisms", "max(int(noisy.sum()), 1)", "max(int(np.asarray(counts).sum()), 1)", "noisy_only"
    ),
    "quantiles of the exact counts": Mutant("mechanisms", "np.cumsum(noisy)", "np.cumsum(counts)", "noisy_only"),
    # ---- budget
    "costs counted downward": Mutant(
        "budget", "math.ceil(Fraction(value) * units)", "math.floor(Fraction(value) * units)", "budget"
    ),
    "pure costs counted as a choice": Mutant(
        "budget", "Fraction(epsilon) ** 2 / 2", "Fraction(epsilon) ** 2 / 8", "budget"
    ),
    "delta not limited": Mutant("budget", " and self.delta_atto <= limit.delta_atto", "", "budget"),
    "the largest cost instead of the sum": Mutant(
        "budget", "self.rho_nano + other.rho_nano", "max(self.rho_nano, other.rho_nano)", "budget"
    ),
    "deltas not added": Mutant("budget", "self.delta_atto + other.delta_atto", "self.delta_atto", "budget"),
    "the whole delta converts": Mutant(
        "budget",
        "rho_of(self.epsilon, delta=self.convertible)",
        "rho_of(self.epsilon, delta=self.delta)",
        "budget",
    ),
    "the limit rounded up": Mutant(
        "budget", "math.floor(Fraction(rho) * RHO_UNITS)", "math.ceil(Fraction(rho) * RHO_UNITS)", "budget"
    ),
    "epsilon told at the whole delta": Mutant(
        "budget",
        "epsilon_of(spent.rho, delta=self.convertible)",
        "epsilon_of(spent.rho, delta=self.delta)",
        "budget",
    ),
    "units to rho rounded up": Mutant("budget", "else math.nextafter(near, 0.0)", "else near", "budget"),
    # ---- entries and the ledger
    "quotas not looked at": Mutant("entries", "if principal in self.quotas:", "if False:", "pool"),
    "persons without a quota served": Mutant(
        "entries", "if self.quotas and principal not in self.quotas:", "if False:", "pool"
    ),
    "each cost alone against the limit": Mutant(
        "entries", "(self.spent + cost).within(self.limit)", "cost.within(self.limit)", "pool"
    ),
    "spends not kept": Mutant("entries", "spent=self.spent + cost, by=by", "spent=self.spent, by=by", "pool"),
    "spends of a principal not kept": Mutant(
        "entries", "principal: self.by.get(principal, NOTHING) + cost}", "principal: cost}", "pool"
    ),
    "other data answered from the same entry": Mutant(
        "entries", "[self.population, self.asked, self.data]", "[self.population, self.asked]", "chain"
    ),
    "other populations answered from the same entry": Mutant(
        "entries", "[self.population, self.asked, self.data]", "[self.asked, self.data]", "chain"
    ),
    "entries not chained": Mutant(
        "entries", 'f"entry {before} {sequence} {body}"', 'f"entry {sequence} {body}"', "chain"
    ),
    "entries may be lacking": Mutant(
        "entries", "if sequence != self.sequence + 1:", "if sequence <= self.sequence:", "chain"
    ),
    "a ledger set back is believed": Mutant(
        "chain", "if not self.knows(sequence=sequence, mark=mark):", "if False:", "ledger"
    ),
    "the anchor stays behind": Mutant(
        "ledger_file",
        "            if self._state.sequence != before:\n                self._write_anchor()",
        "            pass",
        "ledger",
    ),
    "requests at no cost": Mutant("chain", "if cost == NOTHING:", "if False:", "ledger"),
    "answered anew at the old charge": Mutant("chain", 'reference = "" if again else ', "reference = ", "ledger"),
    # ---- cells and sources
    "numbers beyond the bounds not clamped": Mutant(
        "cells", "self.edges[1:-1]), values", "self.edges[1:]), values", "cells"
    ),
    "NULL in the first slice": Mutant(
        "cells", "found[np.isnan(values)] = self.null", "found[np.isnan(values)] = 0", "cells"
    ),
    "numbers on an edge one slice lower": Mutant("cells", 'side="right"', 'side="left"', "cells"),
    "NULL among the other labels": Mutant(
        "cells", "for name in names), self.null]", "for name in names), other]", "cells"
    ),
    "unlisted labels as the first": Mutant("cells", "place.get(name, other)", "place.get(name, 0)", "cells"),
    "sensitivity 1 for units of many rows": Mutant(
        "source", "1 if self.table.units is None else self.max_rows_per_unit", "1", "units"
    ),
    "contribution not bounded": Mutant("source", "return kept & (rank < most)", "return kept", "units"),
    "one row more than allowed": Mutant("source", "rank < most)", "rank <= most)", "units"),
    "rows of nobody kept": Mutant("source", "kept = units >= 0", "kept = units >= -9", "units"),
    "rows chosen by their place in the table": Mutant(
        "source", "zip(units, place, strict=True)", "zip(units, range(len(units)), strict=True)", "units"
    ),
    "rows ranked across units": Mutant("source", "np.lexsort((hashes, units))", "np.argsort(hashes)", "units"),
    "rows chosen without the key": Mutant("source", '"{key}|{unit}|{place}"', '"{unit}|{place}"', "units"),
    "labels counted in all rows": Mutant(
        "source", "codes = self._bounded.codes(name)", "codes = self.table.codes(name)", "units"
    ),
    "numbers counted in all rows": Mutant(
        "source", "self._bounded.numbers(cells.name)", "self.table.numbers(cells.name)", "units"
    ),
    "a unit of no rows": Mutant("source", "if max_rows_per_unit < 1:", "if max_rows_per_unit < 0:", "units"),
    # ---- methods
    "more taken than there is": Mutant("dp_spending", "if rho > left", "if False and rho > left", "spending"),
    "spends of a fit not kept": Mutant("dp_spending", "self.taken.append((what, own))", "pass", "spending"),
    "a little more taken than is left": Mutant("dp_spending", "own = min(rho, left)", "own = rho", "spending"),
    "all choices paid once": Mutant(
        "dp_pairs", "exponential_epsilon(rho / (width - 1))", "exponential_epsilon(rho)", "tree"
    ),
    "choices for a unit of one row": Mutant(
        "dp_pairs",
        "            sensitivity=sensitivity,\n            noise=noise,\n        )\n        pair =",
        "            sensitivity=1,\n            noise=noise,\n        )\n        pair =",
        "tree",
    ),
    "all pairs paid once": Mutant("dp_pairs", "rho=rho / len(chosen)", "rho=rho", "tree"),
    "pairs noised for a unit of one row": Mutant(
        "dp_pairs", "rho=rho / len(chosen), sensitivity=sensitivity", "rho=rho / len(chosen), sensitivity=1", "tree"
    ),
    "the best pair without noise": Mutant(
        "dp_pairs", "pair = open_pairs[int(at)]", "pair = max(open_pairs, key=scores.get)", "tree"
    ),
    "delta not divided among columns": Mutant("dp_domain", "delta=delta / len(labelled)", "delta=delta", "domain"),
    "labels for a unit of one row": Mutant("dp_domain", "most_rows=source.sensitivity", "most_rows=1", "domain"),
    "labels at four times the rho": Mutant(
        "dp_domain", "                rho=share,\n", "                rho=4 * share,\n", "domain"
    ),
    "bounds of the exact counts": Mutant(
        "dp_domain", "bounds_of(noised[: cells.null]", "bounds_of(exact[: cells.null]", "domain"
    ),
    "bounds for a unit of one row": Mutant(
        "dp_domain",
        "gaussian_counts(exact, rho=rho, sensitivity=source.sensitivity",
        "gaussian_counts(exact, rho=rho, sensitivity=1",
        "domain",
    ),
    "labels read from the table": Mutant(
        "dp_domain", "categories=tuple(sorted(kept))", "categories=column.categories", "domain"
    ),
    "all domains paid once": Mutant("dp_domain", "rho / len(unknown))", "rho)", "domain"),
}
