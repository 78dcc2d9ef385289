import Vocabulary

/// What the daemon warns of, in its own words, as findings with a place to read on.
enum DaemonWarnings {
    /// Words of a warning, and the chapter of docs/RUNBOOK.md that quotes them; every other warning
    /// leads to the daemon's own chapter.
    static let chapters: [(words: String, chapter: String)] = [
        ("Stripe does not answer at ", Finding.stripeIsAway),
        ("a delivery was answered with 503, as there is no space left", "A full disk"),
        (", and nothing is lost meanwhile: ", "A full disk"),
        ("the backup into ", "No backup, or an old one"),
        ("no backup has been made for long; ", "No backup, or an old one"),
        ("signatures match but their time does not: this machine's clock may be ", "The clock"),
        ("the answers of Stripe's API are dated ", "The clock"),
        ("nobody can sign in: ", "A forgotten password"),
    ]

    /// How every sentence about a bridge begins; its name follows.
    private static let bridgePrefix = "the bridge "

    /// A sentence of the daemon's says what is wrong, and behind a semicolon often what to do.
    ///
    /// - Parameter todo: what to do where the sentence does not say it.
    static func finding(
        _ check: String, _ sentence: String, otherwise todo: String, in chapter: String? = nil
    ) -> Finding {
        let parts = sentence.split(separator: "; ", maxSplits: 1).map(String.init)
        return .act(
            check, parts.first ?? sentence, parts.count > 1 ? parts[1] : todo, in: chapter)
    }

    static func findings(_ warnings: [String]) -> [Finding] {
        warnings.filter { bridge(in: $0) == nil }.map { sentence in
            finding(
                "daemon", sentence,
                otherwise: "look at it; `tillbox status` says it for as long as it lasts",
                in: chapters.first { sentence.contains($0.words) }?.chapter)
        }
    }

    /// The bridges: what is warned of, one that is not configured any more among it, and of those
    /// that nothing is warned of how they stand.
    static func bridges(_ bridges: JSONValue?, _ warnings: [String]) -> [Finding] {
        let told = warnings.compactMap { sentence in bridge(in: sentence).map { ($0, sentence) } }
        let names = Set(told.map(\.0))
        let quiet = (bridges?.array.map { Array($0) } ?? []).filter { bridge in
            !names.contains(bridge["name"]?.string ?? "")
        }
        return quiet.map(standing)
            + told.map { name, sentence in
                .act("bridges", sentence, todo(for: sentence, of: name))
            }
    }

    /// The name of the bridge that a sentence is about; nil where it is about something else.
    private static func bridge(in sentence: String) -> String? {
        guard sentence.hasPrefix(bridgePrefix) else { return nil }
        return sentence.dropFirst(bridgePrefix.count).split(separator: " ").first.map(String.init)
    }

    private static func todo(for sentence: String, of name: String) -> String {
        if sentence.contains(" has stopped, ") {
            return "put that right, docs/BRIDGES.md has each sentence; then `tillbox bridge resume "
                + "\(name)`"
        }
        if sentence.contains(" is not configured any more") {
            return "decide on one of the two: until then the disk fills"
        }
        return "see that its target runs and lets it in; it goes on by itself then"
    }

    private static func standing(_ bridge: JSONValue) -> Finding {
        let name = bridge["name"]?.string ?? "?"
        let state = (bridge["state"]?.string ?? "?").replacing("_", with: " ")
        let lag = Counted.words(bridge["lag"]?.int64 ?? 0, "record")
        let words = "\(name) is \(state), behind by \(lag)"
        switch state {
        case "running", "starting": return .ok("bridges", words)
        case "paused":
            let by = bridge["paused_by"]?.string.map { " by \($0)" } ?? ""
            return .note("bridges", words + by, "`tillbox bridge resume \(name)` goes on")
        default:
            let error = bridge["last_error"]?.string.map { ": \($0)" } ?? ""
            return .act("bridges", words + error, "look again: `tillbox bridge list`")
        }
    }
}
