import Foundation

/// What the kernel says of this process, under the names that Prometheus's client libraries give it
/// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics).
struct ProcessFigures {
    /// User and system time, in seconds.
    var processorSeconds: Double
    /// Memory in use; nil where the kernel does not tell (outside of Linux).
    var residentByteCount: Int64?
    /// Open file descriptors; nil alike.
    var openDescriptorCount: Int64?

    static func current() -> ProcessFigures {
        var usage = rusage()
        #if canImport(Glibc)
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
        getrusage(RUSAGE_SELF, &usage)
        #endif
        func seconds(_ time: timeval) -> Double {
            Double(time.tv_sec) + Double(time.tv_usec) / 1e6
        }
        // Fields are counted in pages; the second is what is resident.
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))
            .flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int64($0) }
        let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        return ProcessFigures(
            processorSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            residentByteCount: pages.map { $0 * Int64(sysconf(Int32(_SC_PAGESIZE))) },
            openDescriptorCount: descriptors.map { Int64($0.count) })
    }

    func write(startedAt milliseconds: Int64, into text: inout PrometheusText) {
        text.add(
            "process_cpu_seconds_total", .counter, "User and system time.",
            [.init(.real(processorSeconds))])
        text.add(
            "process_start_time_seconds", .gauge, "When the process started, since 1970.",
            [.init(.real(Double(milliseconds) / 1_000))])
        text.add(
            "process_resident_memory_bytes", .gauge, "Memory in use.",
            residentByteCount.map { [.init(.whole($0))] } ?? [])
        text.add(
            "process_open_fds", .gauge, "Open file descriptors.",
            openDescriptorCount.map { [.init(.whole($0))] } ?? [])
    }
}
