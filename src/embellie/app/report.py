"""Report: the verdict as one self-contained page that one can mail, with its pictures drawn in SVG."""

from collections.abc import Sequence
from html import escape

from embellie.app.deciding import net_benefit_draws
from embellie.decide.wording import amount, percent
from embellie.domain.evidence import Evidence
from embellie.domain.question import Question
from embellie.domain.verdict import Verdict

_WORDS = {
    "en": {
        "ship": "Ship", "hold": "Hold", "stop": "Stop", "learn_more": "Learn more first",
        "scenarios": "What each scenario may bring",
        "dots": "Each dot is one chance in twenty; the line stands at 0.",
        "unknowns": "What each answer is worth, at most", "studies": "What each study brings, net of all it costs",
        "study": "Study", "weeks": "Weeks", "share": "Share", "cost": "Cost", "net": "Net worth",
        "made": "Computed from {draws} draws, seed {seed}; half-width of the numerical error of EVPI {error}.",
    },
    "fr": {
        "ship": "Mettre en production", "hold": "Attendre", "stop": "Arrêter", "learn_more": "Apprendre d'abord",
        "scenarios": "Ce que chaque scénario peut rapporter",
        "dots": "Chaque point est une chance sur vingt ; le trait est à 0.",
        "unknowns": "Ce que vaut chaque réponse, au plus", "studies": "Ce que rapporte chaque étude, tous coûts déduits",
        "study": "Étude", "weeks": "Semaines", "share": "Part", "cost": "Coût", "net": "Valeur nette",
        "made": "Calculé sur {draws} tirages, graine {seed} ; demi-largeur de l'erreur numérique de l'EVPI : {error}.",
    },
}  # fmt: skip

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}"
    "h1{font-size:1.1rem;font-weight:500;color:#51606f;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}"
    ".verdict{font-size:2rem;font-weight:700;margin:.2rem 0}.because{font-size:1.1rem}svg{width:100%;height:auto}"
    "text{font:13px system-ui,sans-serif;fill:#1c2430}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:right;padding:.25rem .5rem;border-bottom:1px solid #dde3e9}td:first-child,th:first-child{text-align:left}"
    "small{color:#51606f}"
)


def report_page(
    question: Question, verdict: Verdict, *, evidence: Sequence[Evidence] = (), language: str = "en"
) -> str:
    """Return a whole HTML page; it loads nothing from anywhere."""
    words = _WORDS[language]
    quantiles = net_benefit_draws(question, evidence=evidence, draws=verdict.draws, seed=verdict.seed, points=20)
    error = amount(verdict.evpi.error, verdict.currency, language)
    made = words["made"].format(draws=verdict.draws, seed=verdict.seed, error=error)
    studies = f"<h2>{words['studies']}</h2>{_studies(verdict, language)}" if verdict.studies else ""
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(question.question)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(question.question)}</h1>"
        f'<p class="verdict">{words[verdict.verdict]}</p><p class="because">{escape(verdict.next.because[language])}</p>'
        f"<h2>{words['scenarios']}</h2><small>{words['dots']}</small>{_dots(quantiles, verdict, language)}"
        f"<h2>{words['unknowns']}</h2>{_bars(verdict, language)}{studies}<p><small>{escape(made)}</small></p></body></html>\n"
    )


def _dots(quantiles: dict[str, list[float]], verdict: Verdict, language: str) -> str:
    low = min(0.0, *(min(values) for values in quantiles.values()))
    high = max(0.0, *(max(values) for values in quantiles.values()))
    span = (high - low) or 1.0
    parts = []
    for row, (name, values) in enumerate(quantiles.items()):
        y = 46 + 58 * row
        mean = verdict.scenarios[row].net_benefit.mean
        label = f"{name.replace('_', ' ')}: {amount(mean, verdict.currency, language)}"
        best = percent(verdict.scenarios[row].p_best, language)
        parts.append(f'<text x="0" y="{y - 22}">{escape(label)} · P(best) {best}</text>')
        parts += [
            f'<circle cx="{8 + 624 * (value - low) / span:.1f}" cy="{y}" r="6" fill="#2a6fb0" fill-opacity=".45"/>'
            for value in values
        ]
    height = 58 * len(quantiles) + 20
    zero = 8 + 624 * (0 - low) / span
    line = f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="28" y2="{height}" stroke="#51606f" stroke-dasharray="3 3"/>'
    return f'<svg viewBox="0 0 640 {height}" role="img">{line}{"".join(parts)}</svg>'


def _bars(verdict: Verdict, language: str) -> str:
    top = max((unknown.evppi.value for unknown in verdict.unknowns), default=0.0) or 1.0
    parts = []
    for row, unknown in enumerate(verdict.unknowns[:12]):
        y = 40 * row
        worth = amount(unknown.evppi.value, verdict.currency, language)
        worth = worth if unknown.evppi.value > verdict.noise_floor else "≈ 0"
        label = escape(f"{unknown.ask or unknown.name}  {worth}")
        parts.append(f'<text x="0" y="{y + 15}">{label}</text>')
        width = 640 * unknown.evppi.value / top
        fill = "#b3571e" if unknown.open else "#9aa7b4"
        parts.append(f'<rect x="0" y="{y + 20}" width="{width:.1f}" height="10" fill="{fill}"/>')
    return f'<svg viewBox="0 0 640 {40 * min(len(verdict.unknowns), 12) + 4}" role="img">{"".join(parts)}</svg>'


def _studies(verdict: Verdict, language: str) -> str:
    words = _WORDS[language]
    head = "".join(f"<th>{words[key]}</th>" for key in ("study", "weeks", "share", "cost", "net"))
    rows = "".join(
        f"<tr><td>{escape(study.name)}</td><td>{study.weeks:g}</td><td>{percent(study.share, language)}</td>"
        f"<td>{amount(study.cost, verdict.currency, language)}</td>"
        f"<td>{amount(study.enbs.value, verdict.currency, language)}</td></tr>"
        for study in verdict.studies
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
