import SystemPackage

/// Which file a name leads to, however it is called.
struct FileIdentity: Hashable, Sendable {
    private let device: DeviceID
    private let inode: Inode

    /// nil if there is nothing of that name.
    init?(at path: String) {
        guard let status = try? FilePath(path).stat() else { return nil }
        self.init(status)
    }

    init?(ofOpen descriptor: Int32) {
        guard let status = try? FileDescriptor(rawValue: descriptor).stat() else { return nil }
        self.init(status)
    }

    private init(_ status: Stat) { (device, inode) = (status.deviceID, status.inode) }
}
