/// What an operator can do with a data folder whose parts do not belong together.
package enum FolderRemedy {
    package static let sentence =
        "Restore the whole folder from one backup; without one, move everything but log/identity "
        + "and log/webhook.received-0 away and start, which books every webhook again, without "
        + "people's decisions"
}
