{{/* Everything of one service. `global` counts over the chart's own values. */}}
{{- define "esim-service.all" -}}
{{- $values := mergeOverwrite (deepCopy .Values) (deepCopy (.Values.global | default dict)) -}}
{{- $ := dict "Values" $values "Chart" .Chart "Release" .Release "Capabilities" .Capabilities -}}
{{- include "esim-service.check" $ -}}
{{- range $part := list "serviceaccount" "configmap" "shops" "deployment" "service" "disruptionbudget" "networkpolicy" "migration" "autoscaling" "ingress" "monitor" }}
{{- with include (printf "esim-service.%s" $part) $ | trim }}
---
{{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* What a schema cannot say. */}}
{{- define "esim-service.check" -}}
{{- $keys := .Values.secret.keys -}}
{{- range $name, $value := .Values.settings }}
{{- if has (lower $name) $keys }}
{{- fail (printf "%s: settings.%s is among secret.keys: leave one of them out" $.Chart.Name $name) }}
{{- end }}
{{- end }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- fail (printf "%s: autoscaling.minReplicas is above maxReplicas" .Chart.Name) }}
{{- end }}
{{- if and (ne .Values.autoscaling.by "none") (gt (int .Values.autoscaling.maxReplicas) (int .Values.kafka.partitions)) }}
{{- fail (printf "%s: autoscaling.maxReplicas is above kafka.partitions: the instances above would have nothing to read" .Chart.Name) }}
{{- end }}
{{- if le (int .Values.termination.graceSeconds) (add (int .Values.termination.preStopSeconds) 35) }}
{{- fail (printf "%s: termination.graceSeconds leaves the service less than 35 s after preStopSeconds to stop" .Chart.Name) }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
{{- fail (printf "%s: ingress.host is needed with ingress.enabled" .Chart.Name) }}
{{- end }}
{{- end }}
