"""The words of `embellie doctor`, in English and French: what was found, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing `embellie doctor` looked at, and what to do about it; `code` is stable, the words may change."""

    level: Level
    about: str
    message: str
    remedy: str = ""
    code: str = ""


WORDS: Mapping[str, tuple[str, str, str, str]] = {
    # the configuration
    "config_read": ("{sites} sites, {experiments} experiments.", "", "{sites} sites, {experiments} expériences.", ""),
    "question_read": ("{scenarios} scenarios, {unknowns} unknowns.", "", "{scenarios} scénarios, {unknowns} inconnues.", ""),
    "refused": ("{said}", "", "{said}", ""),
    "scenario_without_policy": (
        "The question's scenario `{name}` has no policy yet.",
        "Add it to embellie.toml once it is built; until then it is valued, not served.",
        "Le scénario `{name}` de la question n’a pas encore de politique.",
        "Ajoutez-le à embellie.toml une fois construit ; d’ici là, il est évalué, pas servi.",
    ),
    "study_without_metric": (
        "No metric `{name}` in embellie.toml.", "Declare it, or rename it.",
        "Pas de mesure `{name}` dans embellie.toml.", "Déclarez-la, ou renommez-la.",
    ),
    "no_feed": (
        "No feed.", "Name the site's RSS or Atom feeds, or push articles by the API.",
        "Aucun flux.", "Nommez les flux RSS ou Atom du site, ou envoyez les articles par l’API.",
    ),
    "no_origin": (
        "No origin.", "Name the origins of the pages that carry the widget.",
        "Aucune origine.", "Nommez les origines des pages qui portent le widget.",
    ),
    "no_experiment": (
        "No experiment.", "Without one, nobody will know whether it pays.",
        "Aucune expérience.", "Sans elle, personne ne saura si cela paie.",
    ),
    "no_budget": (
        "`budget_ms = 0`: a slow policy is waited for, however long it takes.", "Set a budget, such as 200.",
        "`budget_ms = 0` : une politique lente est attendue, aussi longtemps qu’il faut.", "Fixez un budget, par exemple 200.",
    ),
    "names_kept_for_good": (
        "Readers' names are kept for good.", "Say how long in [retention], for example `measurement = \"13 months\"`.",
        "Les noms des lecteurs sont gardés sans limite.", "Dites combien de temps dans [retention], par exemple `measurement = \"13 months\"`.",
    ),
    "anyone_may": (
        "Anyone who reaches it may read and change everything.", "Set auth = true.",
        "Quiconque l’atteint peut tout lire et tout changer.", "Écrivez auth = true.",
    ),
    "traces_without_extra": (
        "`traces = true`, and OpenTelemetry is not installed: the server will not start.", "Run `pip install 'embellie[telemetry]'`.",
        "`traces = true`, et OpenTelemetry n’est pas installé : le serveur ne démarrera pas.", "Lancez `pip install 'embellie[telemetry]'`.",
    ),
    # the machine
    "disk_fine": (
        "{free} free.", "", "{free} libres.", "",
    ),
    "disk_growth": (
        "{free} free; at the pace of the last days ({daily} a day), enough for {days} days.", "",
        "{free} libres ; au rythme des derniers jours ({daily} par jour), assez pour {days} jours.", "",
    ),
    "disk_fills": (
        "{free} free; at the pace of the last days ({daily} a day), full in {days} days.",
        "Free some or take a larger disk before: a log that cannot be written refuses events.",
        "{free} libres ; au rythme des derniers jours ({daily} par jour), plein dans {days} jours.",
        "Libérez-en ou prenez un disque plus grand avant : un journal qui ne peut s’écrire refuse les événements.",
    ),
    "disk_low": (
        "Only {free} free.", "Free some now: a log that cannot be written refuses events.",
        "Seulement {free} libres.", "Libérez-en maintenant : un journal qui ne peut s’écrire refuse les événements.",
    ),
    "few_files": (
        "At most {limit} files may be open, each connection is one.", "Raise it to 65536: `LimitNOFILE=65536` in the systemd unit, or `ulimit -n 65536`.",
        "Au plus {limit} fichiers ouverts, chaque connexion en est un.", "Portez à 65536 : `LimitNOFILE=65536` dans l’unité systemd, ou `ulimit -n 65536`.",
    ),
    "enough_files": ("Up to {limit} files may be open.", "", "Jusqu’à {limit} fichiers ouverts.", ""),
    # the data folder
    "data_there": ("The log's folder is `{name}`.", "", "Le dossier du journal est `{name}`.", ""),
    "data_missing": (
        "`{name}` does not exist yet.", "It is made at the first `embellie serve`.",
        "`{name}` n’existe pas encore.", "Il est créé au premier `embellie serve`.",
    ),
    "data_not_writable": (
        "`{name}` cannot be written by this account.", "Give it to the account that serves: `chown`.",
        "`{name}` ne peut être écrit par ce compte.", "Donnez-le au compte qui sert : `chown`.",
    ),
    "bucket_refuses": (
        "The lake's bucket does not let us {what}: {said} (It lets us: {can}.)", "{hint}",
        "Le compartiment du lac ne permet pas « {what} » : {said} (Il permet : {can}.)", "{hint}",
    ),
    "bucket_works": (
        "The lake is at `{place}`: we can {can}.", "",
        "Le lac est à `{place}` ; tout y est possible : {can}.", "",
    ),
    "leads": (
        "Process {process} serves here, and looks after feeds, gates, models and lake.", "",
        "Le processus {process} sert ici, et s’occupe des flux, des seuils, des modèles et du lac.", "",
    ),
    "state_taken": (
        "The next start folds the log from event {sequence} on.", "",
        "Le prochain démarrage replie le journal à partir de l’événement {sequence}.", "",
    ),
    "state_refused": (
        "{said}", "Run `embellie log fold`, or the next start folds the whole log.",
        "{said}", "Lancez `embellie log fold`, sinon le prochain démarrage replie tout le journal.",
    ),
    "keys_open": (
        "Others than its owner may read it (mode {mode}): it holds the key of sessions.", "Run `chmod 600` on it.",
        "D’autres que son propriétaire peuvent le lire (mode {mode}) : il tient la clé des sessions.", "Faites `chmod 600`.",
    ),
    "keys_old": (
        "Its tokens ({tokens}) do not expire, and nothing in it has changed for {days} days.", "Make new ones and revoke those: `POST`, `DELETE /v1/tokens`.",
        "Ses jetons ({tokens}) n’expirent pas, et rien n’y a changé depuis {days} jours.", "Faites-en de nouveaux et révoquez ceux-là : `POST`, `DELETE /v1/tokens`.",
    ),
    "keys_fine": ("{tokens} tokens; only its owner reads it.", "", "{tokens} jetons ; seul son propriétaire le lit.", ""),
    "wal_large": (
        "{size}: some process keeps reading from before, so that it cannot be emptied.", "Find who has it open (`fuser`), and end it.",
        "{size} : un processus lit encore l’état d’avant, on ne peut le vider.", "Trouvez qui le tient ouvert (`fuser`), et arrêtez-le.",
    ),
    "log_there": ("The log is at `{place}`.", "", "Le journal est à `{place}`.", ""),
    "log_to_come": ("The log will be made at `{place}`.", "", "Le journal sera créé à `{place}`.", ""),
    "ledger_balances": ("{events} events; the ledger balances.", "", "{events} événements ; le registre est juste.", ""),
    "ledger_wrong": (
        "The ledger does not balance in {hours} hours.", "See `embellie log ledger --verify`; restore a backup if a file was lost.",
        "Le registre n’est pas juste pour {hours} heures.", "Voyez `embellie log ledger --verify` ; restaurez une sauvegarde si un fichier manque.",
    ),
    "ledger_long": (
        "{events} events: too many to count here.", "`embellie log ledger --verify` counts them.",
        "{events} événements : trop pour les compter ici.", "`embellie log ledger --verify` les compte.",
    ),
    "log_unreadable": ("{said}", "{hint}", "{said}", "{hint}"),
    "lake_in_step": ("In step with the log.", "", "À jour avec le journal.", ""),
    "lake_behind": (
        "{events} events, {hours} hours behind the log.", "The server fills it every hour: see its messages, or run `embellie log export` into that folder.",
        "{events} événements, {hours} heures derrière le journal.", "Le serveur le remplit chaque heure : voyez ses messages, ou lancez `embellie log export` vers ce dossier.",
    ),
    "model_missing": (
        "Release {name} cannot load its model: it is served without.", "See `embellie recommend models`, or roll back.",
        "La version {name} ne peut charger son modèle : elle est servie sans.", "Voyez `embellie recommend models`, ou revenez en arrière.",
    ),
    "models_load": ("{count} models load.", "", "{count} modèles se chargent.", ""),
    "no_backup": (
        "No backup is known of.", "Run `embellie log backup FILE` every night, to another disk.",
        "Aucune sauvegarde connue.", "Lancez `embellie log backup FICHIER` chaque nuit, vers un autre disque.",
    ),
    "backup_old": (
        "The last one is {days} days old.", "See why `embellie log backup` has not run.",
        "La dernière a {days} jours.", "Voyez pourquoi `embellie log backup` n’a pas tourné.",
    ),
    "backup_fresh": ("The last one is {hours} hours old.", "", "La dernière a {hours} heures.", ""),
    # the feeds
    "feed_stale": (
        "Not read for {hours} hours.", "See `embellie catalogue sync`.",
        "Pas lu depuis {hours} heures.", "Voyez `embellie catalogue sync`.",
    ),
    "feed_failing": (
        "Never read, after {failures} tries.", "See `embellie catalogue sync`.",
        "Jamais lu, après {failures} essais.", "Voyez `embellie catalogue sync`.",
    ),
    "feeds_read": ("{count} feeds were read lately.", "", "{count} flux lus récemment.", ""),
    "feed_answers": ("Answers.", "", "Répond.", ""),
    "feed_silent": ("{said}", "{hint}", "{said}", "{hint}"),
    "clock_off": (
        "This machine's clock is {seconds} s {way} that of `{host}`.", "Set it by NTP: events and sessions are dated by it.",
        "L’horloge de cette machine est {way} de {seconds} s sur celle de `{host}`.", "Réglez-la par NTP : événements et sessions sont datés par elle.",
    ),
    "clock_right": ("Within {seconds} s of `{host}`.", "", "À {seconds} s près celle de `{host}`.", ""),
    # the servers
    "server_ready": ("A server answers at {address}, and is ready.", "", "Un serveur répond à {address}, et il est prêt.", ""),
    "server_degraded": ("The server at {address} says: {said}", "{hint}", "Le serveur à {address} dit : {said}", "{hint}"),
    "server_not_ready": (
        "A server at {address} is not ready: {said}", "{hint}", "Un serveur à {address} n’est pas prêt : {said}", "{hint}",
    ),
    "server_absent": ("No server answers at {address}.", "", "Aucun serveur ne répond à {address}.", ""),
    "postgres_fine": (
        "PostgreSQL {version}; {used} of {most} connections are used.", "",
        "PostgreSQL {version} ; {used} connexions sur {most} sont prises.", "",
    ),
    "postgres_crowded": (
        "{used} of {most} connections are used; each server opens up to seven.", "Raise `max_connections`, or find who holds them.",
        "{used} connexions sur {most} sont prises ; chaque serveur en ouvre jusqu’à sept.", "Augmentez `max_connections`, ou trouvez qui les tient.",
    ),
    "postgres_may_not": (
        "`{user}` may not {what}.", "Grant it: see docs/log.md, In PostgreSQL.",
        "`{user}` n’a pas le droit : {what}.", "Accordez-le : voir docs/log.md, In PostgreSQL.",
    ),
    "postgres_lags": (
        "The copy `{name}` is {seconds} s behind.", "See its disk and network; what it lacks is lost if the server is.",
        "La copie `{name}` a {seconds} s de retard.", "Voyez son disque et son réseau ; ce qui lui manque est perdu avec le serveur.",
    ),
}  # fmt: skip
"""By code: what was found and what to do, in English and then in French; `{…}` are figures and names."""


def finding(code: str, level: Level, about: str, language: str = "en", **figures: object) -> Finding:
    """Say what was found.

    >>> finding("disk_low", "error", "disk", free="300 MB").message
    'Only 300 MB free.'
    """
    words = WORDS[code]
    message, remedy = words[2:] if language == "fr" else words[:2]
    return Finding(level, about, message.format(**figures), remedy.format(**figures), code)
