# Alerts: those of deploy/monitoring/alerts.yaml, which are rules of Prometheus over what the roles
# tell at /metrics, and beside them what only Google knows.
locals {
  rules = {
    for rule in yamldecode(file("${path.module}/../monitoring/alerts.yaml")).groups[0].rules :
    rule.alert => rule
  }

  # Rules of one box that say nothing here, each with what says it instead.
  rules_of_a_box = {
    TillboxBridgeStopped        = "the cloud has no bridges"
    TillboxFallsBehind          = "Kafka tells the lags of its groups: the policy lag"
    TillboxReconciliationBreaks = "reconciliation is a job that fails: the policy job"
    TillboxStripeSilent         = "Stripe is asked by jobs that fail: the policy job"
  }

  alerts = {
    for name, rule in local.rules : name => {
      query    = rule.expr
      duration = { "" = "0s", "1m" = "60s", "2m" = "120s", "5m" = "300s", "15m" = "900s" }[try(rule.for, "")]
      severity = rule.labels.severity == "page" ? "CRITICAL" : "WARNING"
      # Prometheus's own templates, in the form that Google's documentation of an alert has.
      text = join("\n\n", [
        replace(
          replace(rule.annotations.summary, "/{{ *\\$labels\\.([a-z_]+) *}}/", "$${metric.label.$1}"),
        "/{{ *\\$value *}}/", "Some"),
        rule.annotations.action,
      ])
    } if !contains(keys(local.rules_of_a_box), name)
  }
}

resource "google_monitoring_notification_channel" "mail" {
  for_each = var.alert_emails

  display_name = "tillbox: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "rule" {
  for_each = local.alerts

  display_name          = each.key
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = [for channel in google_monitoring_notification_channel.mail : channel.id]

  conditions {
    display_name = each.key

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = each.value.duration
      evaluation_interval = "60s"
      alert_rule          = each.key
      rule_group          = "tillbox"
      # A metric that no role has told yet is no mistake.
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = each.key
    content   = each.value.text
  }
}

# Nobody tells anything any more: roles that are gone have no `up` that could be 0.
resource "google_monitoring_alert_policy" "silence" {
  count = local.has_roles ? 1 : 0

  display_name          = "TillboxSilent"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = [for channel in google_monitoring_notification_channel.mail : channel.id]

  conditions {
    display_name = "no role tells anything"

    condition_prometheus_query_language {
      query               = "absent(up{job=\"tillbox\"})"
      duration            = "300s"
      evaluation_interval = "60s"
    }
  }

  documentation {
    content = "No role, or no collector beside one, has told anything for 5 min. Look at the services and worker pools in Cloud Run; Stripe delivers again for three days."
  }
}

resource "google_monitoring_alert_policy" "job" {
  display_name          = "TillboxJobFailed"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [for channel in google_monitoring_notification_channel.mail : channel.id]

  conditions {
    display_name = "an execution ended with a failure"

    condition_threshold {
      filter          = "resource.type = \"cloud_run_job\" AND metric.type = \"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result = \"failed\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.job_name"]
      }
    }
  }

  documentation {
    content = "A job has found something (exit code 1: breaks of reconciliation, a ledger that does not verify, an event that cannot be stored) or could not run (3). Its log has the sentence; docs/RECONCILIATION.md what to do about breaks."
  }
}

resource "google_monitoring_alert_policy" "lag" {
  display_name          = "TillboxFallsBehind"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = [for channel in google_monitoring_notification_channel.mail : channel.id]

  conditions {
    display_name = "a group has more than 1,000 records to read"

    condition_threshold {
      filter          = "resource.type = \"managedkafka.googleapis.com/TopicPartitionConsumerGroup\" AND metric.type = \"managedkafka.googleapis.com/offset_lag\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1000
      duration        = "600s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.consumer_group_id", "resource.label.topic_id"]
      }
    }
  }

  documentation {
    content = "A role falls behind in a topic. GET /readyz of it (its log, too) says what it waits for, if it waits; docs/SCALE.md how many instances a rate takes."
  }
}

resource "google_monitoring_alert_policy" "postgres_disk" {
  display_name          = "TillboxPostgresDisk"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = [for channel in google_monitoring_notification_channel.mail : channel.id]

  conditions {
    display_name = "the disk is 85 % full"

    condition_threshold {
      filter          = "resource.type = \"cloudsql_database\" AND metric.type = \"cloudsql.googleapis.com/database/disk/utilization\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0.85
      duration        = "600s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MEAN"
      }
    }
  }

  documentation {
    content = "The disk grows by itself as long as the quota lets it. A full one stops the ledger role; nothing is lost, since payment.scored keeps what is not booked."
  }
}
