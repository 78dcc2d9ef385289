# What is one of the three sizes. The rates are peaks of one ledger, whose chain ends at about
# 1,400 payments/s (docs/SCALE.md); beyond it take several installations. What each costs is
# computed from this table by tests/costs.py.
locals {
  sizes = {
    # Up to 10 payments/s, 1,000,000 a month. Postgres and Redis without a standby: while one of
    # them restarts, payments are booked later, and Stripe repeats what was answered 503.
    small = {
      webhook_instances = 1
      webhook_max       = 4
      score_instances   = 1
      ledger_instances  = 1
      console_instances = 0
      partitions        = 4
      kafka_vcpu        = 3
      kafka_memory_gib  = 3
      sql_tier          = "db-custom-1-3840"
      sql_availability  = "ZONAL"
      sql_disk_gib      = 20
      redis_tier        = "BASIC"
      redis_gib         = 1
      export_disk_gib   = 0
    }
    # Up to 200 payments/s, 20,000,000 a month. A standby of each, two instances of each role.
    medium = {
      webhook_instances = 2
      webhook_max       = 8
      score_instances   = 2
      ledger_instances  = 2
      console_instances = 1
      partitions        = 8
      kafka_vcpu        = 3
      kafka_memory_gib  = 6
      sql_tier          = "db-custom-2-7680"
      sql_availability  = "REGIONAL"
      sql_disk_gib      = 200
      redis_tier        = "STANDARD_HA"
      redis_gib         = 8
      export_disk_gib   = 1024
    }
    # Up to 1,000 payments/s, 200,000,000 a month.
    large = {
      webhook_instances = 3
      webhook_max       = 20
      score_instances   = 3
      ledger_instances  = 2
      console_instances = 2
      partitions        = 16
      kafka_vcpu        = 6
      kafka_memory_gib  = 24
      sql_tier          = "db-custom-8-30720"
      sql_availability  = "REGIONAL"
      sql_disk_gib      = 1000
      redis_tier        = "STANDARD_HA"
      redis_gib         = 64
      export_disk_gib   = 2048
    }
  }
  size = local.sizes[var.size]

  stages      = ["ground", "jobs", "webhook", "roles"]
  has_jobs    = index(local.stages, var.stage) >= 1
  has_webhook = index(local.stages, var.stage) >= 2
  has_roles   = index(local.stages, var.stage) >= 3
}
