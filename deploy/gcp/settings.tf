# What each process is told. tests/check.py reads these tables as they stand: every name must be a
# setting that the program knows, and every role must have what it does not start without.
locals {
  # In the table `programs`, a program's settings are groups of this one.
  settings = {
    common = {
      TILLBOX_PROFILE        = "cloud"
      TILLBOX_LOGGING_FORMAT = "json"
    }
    merchant = {
      TILLBOX_MERCHANT_DEFAULT = var.merchant
    }
    verdict = { for key, value in var.verdict : "TILLBOX_VERDICT_${upper(key)}" => value }
    # Health, readiness and numbers, for Cloud Run's probes and the collector beside the role.
    admin = {
      TILLBOX_ADMIN_HOST = "0.0.0.0"
      TILLBOX_ADMIN_PORT = "9090"
    }
    kafka = {
      TILLBOX_KAFKA_BOOTSTRAP    = "bootstrap.${google_managed_kafka_cluster.tillbox.cluster_id}.${var.region}.managedkafka.${var.project}.cloud.goog:9092"
      TILLBOX_KAFKA_SECURITY     = "sasl_google"
      TILLBOX_KAFKA_TOPIC_PREFIX = local.topic_prefix
      TILLBOX_KAFKA_PARTITIONS   = tostring(local.size.partitions)
    }
    redis = {
      TILLBOX_REDIS_PREFIX  = "tillbox:"
      TILLBOX_REDIS_CA_FILE = "/etc/tillbox/redis-ca/ca.pem"
    }
    gate = {
      TILLBOX_WEBHOOK_LIVEMODE = var.livemode
    }
    console = {
      TILLBOX_ADMIN_BEHIND_PROXY = "true"
      # The balancer appends the client's address and its own (docs/SECURITY.md).
      TILLBOX_ADMIN_PROXY_COUNT = "2"
      TILLBOX_ADMIN_HOSTS       = var.console_host
    }
    bigquery = {
      TILLBOX_BIGQUERY_PROJECT        = var.project
      TILLBOX_BIGQUERY_DATASET        = google_bigquery_dataset.tillbox.dataset_id
      TILLBOX_BIGQUERY_STRIPE_DATASET = google_bigquery_dataset.stripe.dataset_id
      TILLBOX_BIGQUERY_LOCATION       = var.bigquery_location
    }
  }

  # The password is no part of the address: libpq takes it from PGPASSWORD, a secret.
  postgres_url = {
    for user in ["owner", "ledger", "console", "reconcile", "reader"] : user => join("", [
      "postgresql://", user == "owner" ? "tillbox" : "tillbox_${user}",
      "@", google_sql_database_instance.ledger.private_ip_address, ":5432/tillbox",
      "?sslmode=verify-ca&sslrootcert=/etc/tillbox/postgres-ca/ca.pem&connect_timeout=3",
    ])
  }

  # settings: groups of the table above. postgres: the user there, if any. secrets: variables whose
  # values are secrets (secrets.tf). files: secrets that are mounted, none of which is one: they
  # are certificates. words: what the program is started with.
  programs = {
    webhook = {
      words    = ["run", "--role", "webhook"]
      settings = ["common", "admin", "kafka", "redis", "gate"]
      postgres = ""
      secrets = {
        TILLBOX_WEBHOOK_SECRET = "webhook-signing"
        TILLBOX_REDIS_URL      = "redis-url"
        TILLBOX_ADMIN_TOKEN    = "admin-token"
      }
      files = ["redis-ca"]
    }
    score = {
      words    = ["run", "--role", "score"]
      settings = ["common", "admin", "kafka", "redis", "merchant", "verdict"]
      postgres = ""
      secrets = {
        TILLBOX_REDIS_URL   = "redis-url"
        TILLBOX_ADMIN_TOKEN = "admin-token"
      }
      files = ["redis-ca"]
    }
    ledger = {
      words    = ["run", "--role", "ledger"]
      settings = ["common", "admin", "kafka"]
      postgres = "ledger"
      secrets = {
        PGPASSWORD          = "postgres-ledger"
        TILLBOX_ADMIN_TOKEN = "admin-token"
      }
      files = ["postgres-ca"]
    }
    console = {
      words    = ["run", "--role", "console"]
      settings = ["common", "admin", "kafka", "console"]
      postgres = "console"
      secrets = {
        PGPASSWORD = "postgres-console"
      }
      files = ["postgres-ca"]
    }
    features = {
      words    = ["cloud", "features"]
      settings = ["common", "kafka", "redis", "merchant"]
      postgres = ""
      secrets = {
        TILLBOX_REDIS_URL = "redis-url"
      }
      files = ["redis-ca"]
    }
    prepare = {
      words    = ["cloud", "prepare"]
      settings = ["common", "kafka"]
      postgres = "owner"
      secrets = {
        PGPASSWORD = "postgres-owner"
      }
      files = ["postgres-ca"]
    }
    sweep = {
      words    = ["reconcile", "sweep"]
      settings = ["common", "kafka", "redis", "gate", "merchant"]
      postgres = "reconcile"
      secrets = {
        PGPASSWORD             = "postgres-reconcile"
        TILLBOX_REDIS_URL      = "redis-url"
        TILLBOX_STRIPE_API_KEY = "stripe-key"
      }
      files = ["postgres-ca", "redis-ca"]
    }
    reconcile = {
      words    = ["reconcile", "run"]
      settings = ["common", "kafka", "redis", "gate", "merchant"]
      postgres = "reconcile"
      secrets = {
        PGPASSWORD             = "postgres-reconcile"
        TILLBOX_REDIS_URL      = "redis-url"
        TILLBOX_STRIPE_API_KEY = "stripe-key"
      }
      files = ["postgres-ca", "redis-ca"]
    }
    warehouse = {
      words    = ["export", "--out", "/warehouse", "--load"]
      settings = ["common", "kafka", "gate", "merchant", "bigquery"]
      postgres = "reader"
      secrets = {
        PGPASSWORD             = "postgres-reader"
        TILLBOX_STRIPE_API_KEY = "stripe-key"
      }
      files = ["postgres-ca"]
    }
    verify = {
      words    = ["ledger", "verify"]
      settings = ["common"]
      postgres = "reader"
      secrets = {
        PGPASSWORD = "postgres-reader"
      }
      files = ["postgres-ca"]
    }
    redrive = {
      words    = ["dead-letter", "redrive"]
      settings = ["common", "kafka", "redis", "gate", "merchant"]
      postgres = "reader"
      secrets = {
        PGPASSWORD        = "postgres-reader"
        TILLBOX_REDIS_URL = "redis-url"
      }
      files = ["postgres-ca", "redis-ca"]
    }
  }

  # sweep and reconcile are one program that asks Stripe.
  account_of = { for name in keys(local.programs) : name => name == "sweep" ? "reconcile" : name }

  # All of a program's plain settings.
  plain = {
    for name, program in local.programs : name => merge(concat(
      [for group in program.settings : local.settings[group]],
      contains(program.settings, "kafka") ? [
        { TILLBOX_KAFKA_USERNAME = google_service_account.this[local.account_of[name]].email }
      ] : [],
      program.postgres == "" ? [] : [{ TILLBOX_POSTGRES_URL = local.postgres_url[program.postgres] }],
    )...)
  }
}
