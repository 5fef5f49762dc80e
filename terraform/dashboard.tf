# One page: what callers meet, what the functions need, how the database and the import are.

locals {
  _dashboard_charts = {
    "01 Requests a second"               = "sum by (service_name) (rate(run_googleapis_com:request_count{${local._all}}[5m]))"
    "02 Faults of ours a second (5xx)"   = "sum by (service_name) (rate(run_googleapis_com:request_count{${local._all},response_code_class=\"5xx\"}[5m]))"
    "03 Latency, 95th percentile (ms)"   = "histogram_quantile(0.95, sum by (service_name, le) (rate(run_googleapis_com:request_latencies_bucket{${local._all}}[5m])))"
    "04 Instances"                       = "sum by (service_name) (run_googleapis_com:container_instance_count{${local._all}})"
    "05 Memory, 95th percentile"         = "histogram_quantile(0.95, sum by (service_name, le) (rate(run_googleapis_com:container_memory_utilizations_bucket{${local._all}}[5m])))"
    "06 Start-up time, 95th percentile"  = "histogram_quantile(0.95, sum by (service_name, le) (rate(run_googleapis_com:container_startup_latencies_bucket{${local._all}}[1h])))"
    "07 Database connections"            = "sum(cloudsql_googleapis_com:database_postgresql_num_backends{${local._database}})"
    "08 Database CPU"                    = "avg(cloudsql_googleapis_com:database_cpu_utilization{${local._database}})"
    "09 Database disk (bytes)"           = "max(cloudsql_googleapis_com:database_disk_bytes_used{${local._database}})"
    "10 Imports: runs, movies given up"  = "label_replace(sum(increase(${local._log_metric.import_ended}[1h])), \"what\", \"runs\", \"\", \"\") or label_replace(sum(increase(${local._log_metric.import_parked}[1h])), \"what\", \"given up\", \"\", \"\") or label_replace(sum(increase(${local._log_metric.import_stopped_by_quota}[1h])), \"what\", \"stopped by quota\", \"\", \"\")"
    "11 OMDb: failed calls, spent quota" = "label_replace(sum(increase(${local._log_metric.omdb_failed}[1h])), \"what\", \"failed\", \"\", \"\") or label_replace(sum(increase(${local._log_metric.omdb_quota_spent}[1h])), \"what\", \"quota spent\", \"\", \"\")"
    "12 Logins that were told to wait"   = "sum(increase(${local._log_metric.login_throttled}[1h]))"
  }
}

resource "google_monitoring_dashboard" "main" {
  dashboard_json = jsonencode({
    displayName = "${title(var.prefix)} ${var.environment}"
    mosaicLayout = {
      columns = 48
      tiles = [
        for index, title in sort(keys(local._dashboard_charts)) : {
          height = 16
          width  = 16
          xPos   = (index % 3) * 16
          yPos   = floor(index / 3) * 16
          widget = {
            title = substr(title, 3, -1)
            xyChart = {
              dataSets = [{
                plotType        = "LINE"
                timeSeriesQuery = { prometheusQuery = local._dashboard_charts[title] }
              }]
            }
          }
        }
      ]
    }
  })

  depends_on = [google_logging_metric.main]
}
