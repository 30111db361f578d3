"""Seed bugs in the private methods and their loop; ``checks_methods`` has to kill each."""

from __future__ import annotations

from tests.privacy.mutants import Mutant

MUTANTS: dict[str, Mutant] = {
    "margins noised for a unit of one row": Mutant(
        "dp_margin", "rho=paid, sensitivity=source.sensitivity", "rho=paid, sensitivity=1", "margins"
    ),
    "all margins paid once": Mutant("dp_margin", "share, spread = rho / looks,", "share, spread = rho,", "margins"),
    "margins not charged": Mutant(
        "dp_margin", 'paid = spending.take(f"counts of {name}", share)', "paid = share", "margins"
    ),
    "later looks not counted": Mutant(
        "dp_margin", "looks = sum(levels_of(column) for column in columns)", "looks = len(columns)", "margins"
    ),
    "margins of the exact counts": Mutant(
        "dp_margin", "(cells, np.asarray(noised,", "(cells, np.asarray(counts,", "margins"
    ),
    "number of rows of the exact counts": Mutant(
        "dp_margin",
        "total = total or _rows([one[0][1] for one in found.values()])",
        "total = total or float(exact[0].sum())",
        "margins",
    ),
    "variance of a unit of one row": Mutant(
        "dp_margin", "source.sensitivity**2 * looks / (2 * rho)", "400 * source.sensitivity**2 * looks / rho", "margins"
    ),
    "choice of a pair for a unit of one row": Mutant(
        "aim",
        "exponential_epsilon(rho), sensitivity=source.sensitivity",
        "exponential_epsilon(rho), sensitivity=1",
        "adaptive",
    ),
    "choice of a pair not charged": Mutant(
        "aim", 'rho=spending.take("choice of a pair", CHOICE * share)', "rho=CHOICE * share", "adaptive"
    ),
    "choice of a pair at twice the epsilon": Mutant(
        "aim", "epsilon=exponential_epsilon(rho)", "epsilon=2 * exponential_epsilon(rho)", "adaptive"
    ),
    "pair noised for a unit of one row": Mutant(
        "aim", "rho=paid, sensitivity=source.sensitivity", "rho=paid, sensitivity=1", "adaptive"
    ),
    "pair not charged": Mutant(
        "aim",
        'paid = spending.take("counts of a pair", min((1 - CHOICE) * share, spending.left))',
        "paid = (1 - CHOICE) * share",
        "adaptive",
    ),
    "pair of exact counts": Mutant(
        "aim", "own = Measured(np.asarray(noised,", "own = Measured(np.asarray(exact[pair],", "adaptive"
    ),
    "the best pair of aim without noise": Mutant(
        "aim", "return open_pairs[int(at)]", "return open_pairs[int(scores.argmax())]", "adaptive"
    ),
    "gradients not cut": Mutant(
        "dp_steps",
        "np.minimum(1.0, clip / np.maximum(norms, 1e-300))",
        "np.minimum(1.0, 1e9 * clip / np.maximum(norms, 1e-300))",
        "steps",
    ),
    "gradients cut by half of their layers": Mutant(
        "dp_steps", "(errors**2).sum(axis=1) * (wide**2).sum(axis=1) + ", "0 * ", "steps"
    ),
    "the outer weights of a gradient not cut": Mutant(
        "dp_steps", "(wide.T @ (errors * weights)).ravel()", "(wide.T @ errors).ravel()", "steps"
    ),
    "the constant of the outer layer left out of the norm": Mutant(
        "dp_steps", "(wide**2).sum(axis=1)", "(hidden**2).sum(axis=1)", "steps"
    ),
    "steps noised for a unit of one row": Mutant("arn_dp", "most_rows=source.sensitivity", "most_rows=1", "steps"),
    "each step at the cost of all": Mutant("arn_dp", "/ steps * (1 - 1e-12)", "* (1 - 1e-12)", "steps"),
    "steps not charged": Mutant("arn_dp", 'spending.take("noisy steps", spending.left)', "spending.left", "steps"),
    "steps over the true number of rows": Mutant(
        "arn_dp", "+ (1 - FIRST) * slope,", "+ (1 - FIRST) * slope / len(codes),", "steps"
    ),
    "steps without noise": Mutant(
        "dp_steps", "exact + noise.discrete_gaussian(exact.size, scale=scale)", "exact", "steps"
    ),
    "half of the noise of a step": Mutant(
        "dp_steps", "sensitivity=ROUNDING / FINE", "sensitivity=0.5 * ROUNDING / FINE", "steps"
    ),
    "roundings forgotten": Mutant("dp_steps", "ROUNDING = 1.05", "ROUNDING = 1.0", "steps"),
    "choice among attempts for free": Mutant(
        "loop_dp",
        "return Shares((each,) * attempts, Cost(choice))",
        "return Shares((each,) * attempts, Cost(0))",
        "chosen",
    ),
    "every attempt with all of the budget": Mutant(
        "loop_dp", "(total.rho_nano - choice) // attempts", "(total.rho_nano - choice)", "chosen"
    ),
    "delta not divided among attempts": Mutant("loop_dp", "total.delta_atto // attempts", "total.delta_atto", "chosen"),
    "choice among attempts for a unit of one row": Mutant(
        "loop_dp", "sensitivity=float(source.sensitivity), noise=noise)", "sensitivity=1.0, noise=noise)", "chosen"
    ),
    "choice among attempts at twice the epsilon": Mutant(
        "loop_dp", "epsilon = exponential_epsilon(share.rho)", "epsilon = 2 * exponential_epsilon(share.rho)", "chosen"
    ),
    "scripted noise released": Mutant("loop_dp", "if not learnt.private:", "if False:", "chosen"),
    "overspending released": Mutant("loop_dp", "if not spent.within(share):", "if False:", "chosen"),
    "delta of a method forgotten": Mutant("loop_dp", "delta=learnt.delta)", "delta=0.0)", "chosen"),
    "epsilon of a share rounded up": Mutant(
        "loop_dp",
        "<= share.rho_nano:\n            return epsilon",
        "<= 2 * share.rho_nano:\n            return 1.1 * epsilon",
        "chosen",
    ),
}
