"""`pellucid data`, one file per verb: data from a file to a mix, each step looked at."""

import typer

from pellucid.cli.data.card import card
from pellucid.cli.data.catalog import catalog
from pellucid.cli.data.check import check
from pellucid.cli.data.decontaminate import decontaminate
from pellucid.cli.data.dedup import dedup
from pellucid.cli.data.diff import diff
from pellucid.cli.data.export import export
from pellucid.cli.data.import_ import import_
from pellucid.cli.data.measure import measure
from pellucid.cli.data.mix import mix
from pellucid.cli.data.publish import publish
from pellucid.cli.data.rebuild import rebuild
from pellucid.cli.data.repair import repair
from pellucid.cli.data.review import review
from pellucid.cli.data.show import show
from pellucid.cli.data.stats import stats
from pellucid.cli.data.teach import teach
from pellucid.cli.data.trace import trace
from pellucid.cli.data.triage import triage

app = typer.Typer(
    help="Import, check, repair and look at data; in the order in which one does it.",
    no_args_is_help=True,
)
app.command("check")(check)
app.command("catalog")(catalog)
app.command("import")(import_)
app.command("repair")(repair)
app.command("show")(show)
app.command("stats")(stats)
app.command("diff")(diff)
app.command("trace")(trace)
app.command("card")(card)
app.command("triage")(triage)
app.command("review")(review)
app.command("teach")(teach)
app.command("measure")(measure)
app.command("dedup")(dedup)
app.command("decontaminate")(decontaminate)
app.command("mix")(mix)
app.command("export")(export)
app.command("publish")(publish)
app.command("rebuild")(rebuild)
