"""Passages of contracts, statutes and opinions, written for the benchmark, with slots for numbers, parties and days.

Nothing here is law. The cases and statutes at the end are real ones by their citations alone.
"""

PASSAGES: tuple[tuple[str, str], ...] = (
    (
        "Term",
        "This agreement begins on the effective date and runs for {n} years. It shall not renew unless both "
        "parties sign a written extension at least {days} days before it ends.",
    ),
    (
        "Rent",
        "The {a} shall pay the {b} a monthly rent of ${money}. Rent that is more than {few} days late bears "
        "interest at {pct} percent a year.",
    ),
    (
        "Deposit",
        "The {b} holds a deposit of ${money} and may not mix it with other funds. Within {days} days after the "
        "term the deposit is returned, less the cost of damage beyond ordinary wear.",
    ),
    (
        "Repairs",
        "The {b} keeps the roof, the outer walls and the foundation in repair. The {a} must not alter any bearing "
        "wall without prior written consent.",
    ),
    (
        "Assignment",
        "Neither party may assign this agreement without the consent of the other. Consent shall not be "
        "unreasonably withheld where the assignee has a net worth above ${money}.",
    ),
    (
        "Confidentiality",
        "The receiving party shall hold confidential information in trust for {n} years. It may not disclose that "
        "information except to advisers who are bound by the same duty.",
    ),
    (
        "Liability",
        "The total liability of the {b} under this agreement shall not exceed ${money}. No party is liable for "
        "lost profits, even where it was warned of them.",
    ),
    (
        "Indemnity",
        "The {a} shall indemnify the {b} against claims of third parties that arise from its negligence. It has "
        "no such duty where notice of the claim comes more than {days} days after service.",
    ),
    (
        "Notices",
        "A notice is effective only when it is delivered by hand or by registered mail. A notice sent by "
        "electronic mail alone is not valid.",
    ),
    (
        "Default",
        "A party that fails to perform within {days} days after written notice is in default. The other party may "
        "then terminate, but it may not recover more than ${money} in damages.",
    ),
    (
        "Warranty",
        "The {b} warrants that the goods conform to the specification for {n} months after delivery. The warranty "
        "does not cover goods that the {a} has altered.",
    ),
    (
        "Insurance",
        "The {a} shall carry insurance with limits of not less than ${money} for each occurrence. The policy may "
        "not be cancelled without {days} days of notice to the {b}.",
    ),
    (
        "Payment",
        "Invoices are payable within {days} days after receipt. An invoice that is disputed in good faith is not "
        "overdue until the dispute is settled.",
    ),
    (
        "Records",
        "The {a} shall keep its books for {n} years after final payment. The {b} may inspect them during business "
        "hours, but not more than {few} times in a year.",
    ),
    (
        "Overtime",
        "An employer shall pay one and one half times the regular rate for hours above {hours} in a workweek. An "
        "employee whose salary exceeds ${money} is not covered by this rule.",
    ),
    (
        "Leave",
        "An eligible employee is entitled to {weeks} weeks of leave in any period of {n} months. The employer may "
        "not require the employee to work during that leave.",
    ),
    (
        "Limitation",
        "An action on a written contract must be brought within {n} years after the breach. The period does not "
        "run while the defendant is absent from the state.",
    ),
    (
        "Appeal",
        "A notice of appeal must be filed within {days} days after entry of the judgment. The court has no power "
        "to extend that period by more than {few} days.",
    ),
    (
        "Discovery",
        "A party may serve no more than {hours} written questions on another party. Answers are due {days} days "
        "after service and shall be signed under oath.",
    ),
    (
        "Service",
        "Service on a corporation is made by delivering the summons to an officer. Service by mail is not "
        "complete until the receipt is returned.",
    ),
    (
        "Privilege",
        "A communication between a client and a lawyer for the purpose of legal advice may not be disclosed. The "
        "privilege does not extend to advice that furthers a crime.",
    ),
    (
        "Search",
        "An officer may not search a dwelling without a warrant unless the occupant consents. Evidence seized in "
        "breach of this rule shall not be admitted at trial.",
    ),
    (
        "Fees",
        "The court may award reasonable fees to the prevailing party. Fees above {pct} percent of the recovery "
        "are presumed to be excessive.",
    ),
    (
        "Disclosure",
        "A dealer shall disclose the annual percentage rate before the contract is signed. A consumer may rescind "
        "within {few} business days and owes no finance charge.",
    ),
    (
        "Fiduciaries",
        "A trustee shall act solely in the interest of the beneficiaries. The trustee may not buy trust property "
        "even at a price above its appraised value of ${money}.",
    ),
    (
        "Dividends",
        "Directors shall not declare a dividend that leaves the company unable to pay its debts. A director who "
        "votes against the dividend is not liable for it.",
    ),
    (
        "Merger",
        "A merger requires the approval of {pct} percent of the outstanding shares. Holders who dissent are "
        "entitled to the fair value of their shares, but not to interest before demand.",
    ),
    (
        "Data",
        "A controller shall notify the authority of a breach within {hours} hours after it becomes aware of it. "
        "Notice is not required where the data were encrypted.",
    ),
    (
        "Consent",
        "Consent must be freely given and may be withdrawn at any time. Silence or inactivity shall not "
        "constitute consent.",
    ),
    (
        "Access",
        "A person may request a copy of the records once in {n} months without charge. The agency may not refuse "
        "the request because its purpose is not stated.",
    ),
    (
        "Force majeure",
        "A party is excused while fire, flood or war prevents performance. The excuse does not apply to the "
        "payment of money and ends after {days} days.",
    ),
    (
        "Arbitration",
        "Disputes above ${money} are decided by {few} arbitrators. The award is final and may not be appealed "
        "except for fraud.",
    ),
    (
        "Non-competition",
        "For {n} months after the term the {a} shall not solicit customers of the {b}. The restriction does not "
        "apply beyond {hours} miles from the principal office.",
    ),
    (
        "Zoning",
        "No building in the district may exceed {hours} feet in height. A variance is not granted unless the "
        "owner shows unnecessary hardship.",
    ),
    (
        "Bail",
        "A defendant shall be released unless no condition can assure appearance. The hearing is held within "
        "{few} days after the first appearance.",
    ),
    (
        "Custody",
        "The court decides custody according to the best interest of the child. A parent who moves more than "
        "{hours} miles away must give {days} days of written notice.",
    ),
)
"""(title, text) of each passage; every text holds two sentences that an answer may quote."""

CASES: tuple[tuple[str, int, str, int, int], ...] = (
    ("Mapp v. Ohio", 367, "U.S.", 643, 1961),
    ("Miranda v. Arizona", 384, "U.S.", 436, 1966),
    ("Gideon v. Wainwright", 372, "U.S.", 335, 1963),
    ("Terry v. Ohio", 392, "U.S.", 1, 1968),
    ("Katz v. United States", 389, "U.S.", 347, 1967),
    ("Goldberg v. Kelly", 397, "U.S.", 254, 1970),
    ("Mathews v. Eldridge", 424, "U.S.", 319, 1976),
    ("Celotex Corp. v. Catrett", 477, "U.S.", 317, 1986),
    ("Bell Atlantic Corp. v. Twombly", 550, "U.S.", 544, 2007),
    ("Ashcroft v. Iqbal", 556, "U.S.", 662, 2009),
    ("Upjohn Co. v. United States", 449, "U.S.", 383, 1981),
    ("Burnham v. Superior Court", 495, "U.S.", 604, 1990),
    ("Hawkins v. McGee", 84, "N.H.", 114, 1929),
    ("Jacob & Youngs v. Kent", 230, "N.Y.", 239, 1921),
    ("Meinhard v. Salmon", 249, "N.Y.", 458, 1928),
    ("Williams v. Walker-Thomas Furniture Co.", 350, "F.2d", 445, 1965),
    ("Hadley v. Baxendale", 9, "Exch.", 341, 1854),
    ("Riley v. California", 573, "U.S.", 373, 2014),
    ("Smith v. Van Gorkom", 488, "A.2d", 858, 1985),
    ("Javins v. First National Realty Corp.", 428, "F.2d", 1071, 1970),
)
"""Real cases: name, volume, reporter, page, year."""

STATUTES: tuple[tuple[str, str], ...] = (
    ("42 U.S.C. \u00a7 ", "1983"),
    ("28 U.S.C. \u00a7 ", "1332(a)"),
    ("29 U.S.C. \u00a7 ", "207(a)(1)"),
    ("29 U.S.C. \u00a7 ", "2612"),
    ("15 U.S.C. \u00a7 ", "78j(b)"),
    ("17 C.F.R. \u00a7 ", "240.10b-5"),
    ("29 C.F.R. \u00a7 ", "1910.1200"),
    ("12 C.F.R. \u00a7 ", "1026.19"),
    ("5 U.S.C. \u00a7 ", "552(b)(6)"),
    ("26 U.S.C. \u00a7 ", "501(c)(3)"),
    ("11 U.S.C. \u00a7 ", "362(a)"),
    ("45 C.F.R. \u00a7 ", "164.514"),
)
"""Real statutes and regulations: the code, and the section."""
