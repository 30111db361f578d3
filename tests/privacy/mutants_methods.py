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
