"""The words: frozen records and their invariants; the standard library only.

errors       what went wrong, and what to do
unavailable  the answer when there is none
money        an amount with its currency
moment       a time in UTC
site         a newspaper and its placements
article      what it publishes
slate        what a policy is asked, and what was shown
reading      what readers do
experiment   a randomised comparison
metric       a quantity followed per reader
scorecard    what changed because of it
question     what is being decided
evidence     what a study found
verdict      what to do
release      what is put live
rollout      how it is put live
rule         what editors decide
event        one fact in the log
"""
