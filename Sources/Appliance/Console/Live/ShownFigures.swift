import Vocabulary

/// Figures in the words of the overview, for pages that are open: what stands where, by the names
/// that the page itself gives its places. A script puts them there and makes up none.
struct ShownFigures {
    private let view: OverviewView
    /// Lines over time change with each bucket only.
    private let hasCharts: Bool

    init(_ figures: LiveFigures, _ history: [LiveHistory.Bucket]) {
        view = OverviewView(figures, history)
        hasCharts = figures.isBucketOver
    }

    /// Texts by the place that they stand in.
    var values: [(String, String)] {
        var values = [
            ("answer", view.answer.words), ("answer second", view.answer.second),
            ("checked", view.checked), ("since", view.since),
        ]
        for proof in view.proofs {
            values += [(proof.key, proof.value), ("\(proof.key) second", proof.second)]
        }
        for figure in view.figures {
            values += [(figure.key, figure.value), ("\(figure.key) second", figure.second)]
        }
        for stage in view.stages {
            values += [
                ("count \(stage.topic)", stage.count), ("lag \(stage.topic)", stage.lag),
                ("rate \(stage.topic)", stage.rate),
            ]
        }
        for volume in view.volumes {
            values += [
                ("volume \(volume.key)", volume.amount.whole),
                ("volume \(volume.key) fraction", volume.amount.fraction),
            ]
            guard let sum = volume.sum else { continue }
            values += [
                ("sum \(volume.key)", sum.whole), ("sum \(volume.key) fraction", sum.fraction),
            ]
        }
        return values + view.topology.values
    }

    func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("tone", view.answer.tone)
        writer.member("shape", view.shape)
        writer.key("values")
        Self.write(values, into: &writer)
        writer.key("tones")
        Self.write(view.proofs.map { ($0.key, $0.tone) }, into: &writer)
        writer.key("tubes")
        writer.beginObject()
        for tube in view.topology.tubes {
            writer.key(named: tube.topic)
            writer.beginArray()
            writer.int(Int64(tube.waitX))
            writer.int(Int64(tube.waitWidth))
            writer.endArray()
        }
        writer.endObject()
        if hasCharts {
            writer.key("charts")
            writer.beginArray()
            for chart in view.charts { Self.write(chart, into: &writer) }
            writer.endArray()
        }
        writer.endObject()
    }

    private static func write(_ texts: [(String, String)], into writer: inout JSONWriter) {
        writer.beginObject()
        for (key, text) in texts {
            writer.key(named: key)
            writer.string(text)
        }
        writer.endObject()
    }

    private static func write(_ chart: OverviewChart, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("key", chart.key)
        writer.member("sentence", chart.sentence)
        writer.member("top", chart.top)
        writer.member("span", chart.span)
        writer.key("lines")
        writer.beginArray()
        for line in chart.lines {
            writer.beginObject()
            writer.member("key", line.key)
            writer.member("path", line.path)
            writer.member("words", line.words)
            writer.member("place", line.place)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }
}
