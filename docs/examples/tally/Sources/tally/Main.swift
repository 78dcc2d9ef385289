import AppendLog

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `tally FOLDER [ORDERS] [--crash]`: appends orders, brings the totals up to date, and checks that
/// every order is in them once. With `--crash` the process ends between the two, as if killed: the
/// next run makes up for it.
@main
struct Main {
    static func main() async {
        do {
            try await run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            print("tally: \(error)")
            exit(1)
        }
    }

    private static func run(_ arguments: [String]) async throws {
        let words = arguments.filter { !$0.hasPrefix("--") }
        guard let folder = words.first, let count = Int64(words.dropFirst().first ?? "1000"),
            count > 0
        else {
            print("tally FOLDER [ORDERS] [--crash]: append so many orders, and total them")
            exit(2)
        }
        let log = try Log.open(at: folder)
        let tally = try Tally(in: log)
        try await append(count, to: tally.orders)
        if arguments.contains("--crash") {
            print("\(count) orders are on the disk; ended without a total")
            fflush(nil)
            _exit(0)
        }
        let made = try await tally.catchUp()
        let total = try tally.lastTotal()
        print("\(made) totals appended; all orders come to \(total) cents")
        await log.close()
        try check(folder, total)
    }

    /// A hundred tasks at once: they share their syncs.
    private static func append(_ count: Int64, to orders: Topic) async throws {
        let clock = SystemLogClock()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<min(count, 100) {
                group.addTask {
                    for number in stride(from: lane, to: count, by: 100) {
                        let order = Tally.record(cents: 100 + number, at: clock.now())
                        _ = try await orders.append([order])
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Reads the folder as another process would: every checksum holds, and the totals are those of
    /// all orders, each once.
    private static func check(_ folder: String, _ total: Int64) throws {
        let log = try Log.openReadOnly(at: folder)
        for topic in log.topics {
            let report = try topic.verify()
            if let corruption = report.corruption { throw corruption }
            print("\(topic.name): \(report.recordCount) records, every checksum holds")
        }
        guard let orders = log.topics.first(where: { $0.name.rawValue == "orders" }),
            let totals = log.topics.first(where: { $0.name.rawValue == "totals" })
        else { fatalError("the topics are not there") }
        var sum: Int64 = 0
        var next = orders.start
        while next < orders.end {
            let records = try orders.read(from: next)
            guard let last = records.last else { break }
            for stored in records { sum += Tally.cents(of: stored.record) ?? 0 }
            next = last.offset.advanced(by: 1)
        }
        guard sum == total, orders.end == totals.end else {
            print("the totals are not those of the orders: \(total) and \(sum)")
            exit(1)
        }
        print("each order is in the totals once")
    }
}
