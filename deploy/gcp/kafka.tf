# What each account may do at Kafka. Topics themselves are made by `tillbox cloud prepare`, which
# knows their settings and refuses to use others.
locals {
  topic_prefix = "tillbox."

  # Everybody looks whether the topics are as they should be, every 5 s.
  topic_watchers = local.kafka_accounts

  topic_rights = {
    "webhook.received" = {
      READ  = ["score", "console", "warehouse", "redrive"]
      WRITE = ["webhook", "reconcile", "redrive"]
    }
    "payment.validated" = {
      READ  = ["score", "features", "console", "redrive"]
      WRITE = ["score", "redrive"]
    }
    "payment.features" = {
      READ  = ["score", "console", "redrive"]
      WRITE = ["features", "redrive"]
    }
    "payment.scored" = {
      READ  = ["score", "ledger", "console", "warehouse", "redrive"]
      WRITE = ["score", "redrive"]
    }
    "payment.review" = {
      READ  = ["ledger", "console", "redrive"]
      WRITE = ["ledger", "console", "redrive"]
    }
    "ledger.posted" = {
      READ  = ["ledger", "console"]
      WRITE = ["ledger"]
    }
    "dead.letter" = {
      READ  = ["score", "ledger", "console", "redrive"]
      WRITE = ["webhook", "score", "ledger", "reconcile", "redrive"]
    }
  }

  # The groups are named after the step; so are the transactional ids that begin with them.
  groups = ["score", "ledger", "features", "redrive"]

  principal = {
    for name, account in google_service_account.this : name => "User:${account.email}"
  }
}

resource "google_managed_kafka_acl" "topic" {
  for_each = local.topic_rights

  cluster  = google_managed_kafka_cluster.tillbox.cluster_id
  location = var.region
  acl_id   = "topic/${local.topic_prefix}${each.key}"

  dynamic "acl_entries" {
    for_each = concat(
      [for name in local.topic_watchers : { name = name, operation = "DESCRIBE" }],
      [for name in local.topic_watchers : { name = name, operation = "DESCRIBE_CONFIGS" }],
      [for name in each.value.READ : { name = name, operation = "READ" }],
      [for name in each.value.WRITE : { name = name, operation = "WRITE" }],
      [{ name = "prepare", operation = "CREATE" }],
      [
        for pair in setproduct(keys(local.box), ["READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS"]) :
        { name = pair[0], operation = pair[1] }
      ],
    )

    content {
      principal       = local.principal[acl_entries.value.name]
      operation       = acl_entries.value.operation
      permission_type = "ALLOW"
      host            = "*"
    }
  }
}

resource "google_managed_kafka_acl" "group" {
  for_each = toset(local.groups)

  cluster  = google_managed_kafka_cluster.tillbox.cluster_id
  location = var.region
  acl_id   = "consumerGroup/${local.topic_prefix}${each.key}"

  dynamic "acl_entries" {
    for_each = { READ = each.key, DESCRIBE = "console" }

    content {
      principal       = local.principal[acl_entries.value]
      operation       = acl_entries.key
      permission_type = "ALLOW"
      host            = "*"
    }
  }
}

# The id is the group's name with topic and partition behind it: who is given a partition ends what
# its predecessor left open.
resource "google_managed_kafka_acl" "transactions" {
  for_each = toset(local.groups)

  cluster  = google_managed_kafka_cluster.tillbox.cluster_id
  location = var.region
  acl_id   = "transactionalIdPrefixed/${local.topic_prefix}${each.key}"

  dynamic "acl_entries" {
    for_each = toset(["WRITE", "DESCRIBE"])

    content {
      principal       = local.principal[each.key]
      operation       = acl_entries.key
      permission_type = "ALLOW"
      host            = "*"
    }
  }
}

# The bridge of a box keeps its place as offsets of a group without members.
resource "google_managed_kafka_acl" "bridge" {
  for_each = var.moving_box ? toset(["consumerGroup", "transactionalId"]) : toset([])

  cluster  = google_managed_kafka_cluster.tillbox.cluster_id
  location = var.region
  acl_id   = "${each.key}Prefixed/${local.topic_prefix}tillbox-bridge-"

  dynamic "acl_entries" {
    for_each = toset(each.key == "consumerGroup" ? ["READ", "DESCRIBE"] : ["WRITE", "DESCRIBE"])

    content {
      principal       = local.principal["bridge"]
      operation       = acl_entries.key
      permission_type = "ALLOW"
      host            = "*"
    }
  }
}
