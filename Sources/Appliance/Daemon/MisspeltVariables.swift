/// Environment variables that are no setting and look like one. A setting that is misspelt there
/// stays at its default, and nobody would notice: an orchestrator's own variables are passed over
/// without a word, so these are told of.
package enum MisspeltVariables {
    private static let prefix = "TILLBOX_"

    /// Two letters that changed places, or are wrong, missing or too many; one in a short name.
    private static func distanceMax(of name: String) -> Int {
        min(2, (name.count - prefix.count) / 3)
    }

    /// - Returns: a sentence for each, ordered by name; it has no value.
    package static func warnings(in environment: [String: String]) -> [String] {
        let known = SettingsKey.allCases.map { SettingsKey.environmentVariable($0.rawValue) }
        let endpoints = SettingsKey.environmentVariable("webhook.endpoint.")
        return environment.keys.sorted().compactMap { name in
            guard name.hasPrefix(prefix), !known.contains(name), !name.hasPrefix(endpoints),
                let nearest = NearestWord.to(name, among: known, within: distanceMax(of: name))
            else { return nil }
            return "the environment variable \(name) is no setting and is passed over; did you "
                + "mean \(nearest)?"
        }
    }
}
