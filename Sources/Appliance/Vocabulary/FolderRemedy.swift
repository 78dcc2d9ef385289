/// What an operator can do with a data folder whose parts do not belong together.
package enum FolderRemedy {
    /// Right whatever is bad: what came since the backup Stripe still has.
    package static let restore =
        "Restore the whole folder from its newest backup and start with Stripe's API key: the "
        + "sweep fetches the events that came since, of the 30 days that Stripe keeps; what people "
        + "decided since then is to be decided again"

    /// Where nothing is known to be bad, and only somebody else may read it.
    package static let rights =
        "Do this as the user that the folder belongs to; where some of its files are somebody "
        + "else's, give them back, with the daemon stopped: chown -R USER: FOLDER"

    /// Where `webhook.received` is known to have every webhook that it ever had.
    package static let rebook =
        restore + ". Or, as webhook.received is whole, move everything but log/identity and "
        + "log/webhook.received-0 away and start, which books every webhook again, without "
        + "people's decisions"
}
