"""What the owner does, by page or by command, as entries of the audit log name it."""

CREATE_TOKEN = "create a token"  # noqa: S105 - a deed, no password
REVOKE_TOKEN = "revoke a token"  # noqa: S105 - as above
ROTATE_CLIENT = "rotate the OAuth client"
REPLACE_KEY = "replace a key"
CHANGE_CODE = "decide on code"
RESTORE = "restore a back-up"
STORE_CREDENTIAL = "store a credential"

ACTIONS = {
    "login.enter": "login",
    "pages.logout": "logout",
    "pages.decide": "decide on a tool",
    "oauth.decide": "consent",
    "credential.store": STORE_CREDENTIAL,
    "notifications.add": "add a channel",
    "notifications.save": "change a channel",
    "quick_run.start": "start a quick run",
    "jobs.create": "create a job",
    "jobs.save": "change a job",
    "jobs.preview": "look at the times of a schedule",
    "jobs.run": "trigger a job",
    "jobs.switch": "pause or resume a job",
    "jobs.open": "create a job's fire token",
    "jobs.close": "end a job's fire token",
    "jobs.delete": "delete a job",
    "webhooks.create": "create a webhook",
    "webhooks.save": "change a webhook",
    "webhooks.switch": "switch a webhook",
    "webhooks.sign": "set how senders of a webhook sign",
    "webhooks.reveal": "show a webhook's address",
    "webhooks.test": "test a webhook",
    "webhooks.replay": "replay a delivery",
    "webhooks.delete": "delete a webhook",
    "code_changes.decide": CHANGE_CODE,
    "changes.decide": CHANGE_CODE,
    "create_token": CREATE_TOKEN,
    "revoke_token": REVOKE_TOKEN,
    "decide": "decide on a tool",
    "make_entries": "make a client's entries",
    "make_link": "make a login link",
    "grants.grant": "grant a server more",
    "grants.revoke": "take a server's grants back",
    "examples.add": "add an example",
    "rotate_client": ROTATE_CLIENT,
    "keys.rotate": REPLACE_KEY,
    "nodes.drain": "drain a node",
    "nodes.undrain": "undrain a node",
    "settings.change": "change a setting",
    "settings.download": "download a back-up",
    "settings.begin_anew": "restart the gateway",
    "servers.decide_here": "decide on a tool",
    "servers.save_policy": "change a server's policy",
    "servers.restart": "restart a server",
    "servers.enable": "enable a server",
    "servers.disable": "disable a server",
    "servers.remove": "delete a server",
    "servers.call": "call a tool",
    "servers.cancel": "cancel a call",
    "servers.create": "create a server",
    "servers.save": "change a server's code",
    "servers.try_code": "try a server's code",
    "servers.remove_file": "change a server's code",
    "servers.restore": "roll a server back",
    "servers.set_credential": "store a credential",
    "servers.delete_credential": "delete a credential",
}
"""Of handlers by their endpoints; a page that is not here goes by its endpoint."""
