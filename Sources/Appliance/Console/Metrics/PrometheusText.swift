/// What `GET /metrics` answers: Prometheus's text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
package struct PrometheusText: Sendable {
    /// What a family's numbers are.
    package enum Kind: String, Sendable {
        case counter, gauge, histogram, summary
    }

    /// One number of a family.
    package struct Sample: Sendable {
        /// Behind the family's name: `_bucket`, `_sum`, `_count`, or nothing.
        var suffix = ""
        var labels: [(name: String, value: String)]
        var value: Value

        package init(_ value: Value, _ labels: [(name: String, value: String)] = []) {
            (self.labels, self.value) = (labels, value)
        }
    }

    /// Whole numbers stay whole: a `Double` would round them from 2^53 on.
    package enum Value: Sendable, ExpressibleByIntegerLiteral {
        case whole(Int64)
        case real(Double)

        package init(integerLiteral value: Int64) { self = .whole(value) }

        fileprivate var text: String {
            switch self {
            case .whole(let value): "\(value)"
            case .real(let value) where value.isNaN: "NaN"
            case .real(let value) where value.isInfinite: value < 0 ? "-Inf" : "+Inf"
            case .real(let value): "\(value)"
            }
        }
    }

    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) package var text = ""
    private var names: Set<String> = []

    package init() {}

    /// Adds a family, all of its numbers together; one without numbers is left out.
    ///
    /// - Precondition: the name was not added before.
    package mutating func add(
        _ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]
    ) {
        guard !samples.isEmpty else { return }
        let name = Self.name(name)
        precondition(names.insert(name).inserted, "\(name) twice")
        text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n"
        text += "# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            text += name + sample.suffix
            if !sample.labels.isEmpty {
                let labels = sample.labels.map {
                    "\(Self.labelName($0.name))=\"\(Self.escaped($0.value, quotes: true))\""
                }
                text += "{\(labels.joined(separator: ","))}"
            }
            text += " \(sample.value.text)\n"
        }
    }

    /// A family's name: what is no letter, digit, `_` or `:` becomes `_`, and a digit is not first.
    package static func name(_ text: String) -> String {
        sanitized(text) { $0 == ":" }
    }

    /// A label's name, alike but without `:`.
    static func labelName(_ text: String) -> String {
        sanitized(text) { _ in false }
    }

    private static func sanitized(
        _ text: String, _ isAlsoGood: (Unicode.Scalar) -> Bool
    ) -> String {
        var name = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isDigit = ("0"..."9").contains(scalar)
            let isLetter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
            if isDigit, name.isEmpty { name.append("_") }
            name.append(isDigit || isLetter || isAlsoGood(scalar) ? scalar : "_")
        }
        return name.isEmpty ? "_" : String(name)
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension PrometheusText {
    /// A histogram's samples.
    ///
    /// - Parameters:
    ///   - buckets: how many values each upper bound takes in, in rising order of the bounds; what
    ///     a bound takes in, each larger one does too.
    ///   - count: of all values.
    package static func histogram(
        buckets: [(upTo: Double, count: Int64)], sum: Double, count: Int64,
        _ labels: [(name: String, value: String)] = []
    ) -> [Sample] {
        func sample(_ suffix: String, _ value: Value, le bound: Double? = nil) -> Sample {
            var sample = Sample(value, labels)
            sample.suffix = suffix
            if let bound {
                sample.labels.append(("le", bound.isInfinite ? "+Inf" : "\(bound)"))
            }
            return sample
        }
        return buckets.map { sample("_bucket", .whole($0.count), le: $0.upTo) } + [
            sample("_bucket", .whole(count), le: .infinity),
            sample("_sum", .real(sum)), sample("_count", .whole(count)),
        ]
    }
}
