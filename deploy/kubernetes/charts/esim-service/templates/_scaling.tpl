{{/* More instances when the consumer group falls behind (KEDA), or by the processors' load; and who is scraped. */}}

{{- define "esim-service.autoscaling" -}}
{{- $name := include "esim-service.name" . -}}
{{- $scale := .Values.autoscaling -}}
{{- if eq $scale.by "lag" }}
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: {{ $name }}-kafka
  labels: {{- include "esim-service.labels" . | nindent 4 }}
spec:
  env:
    - {parameter: username, name: KAFKA_USERNAME, containerName: {{ $name }}}
  secretTargetRef:
    - {parameter: password, name: {{ .Values.kafka.secret | default (include "esim-service.kafkaUsername" .) }}, key: {{ .Values.kafka.passwordKey }}}
    {{- if and .Values.kafka.tls .Values.kafka.caSecret }}
    - {parameter: ca, name: {{ .Values.kafka.caSecret }}, key: {{ .Values.kafka.caKey }}}
    {{- end }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ $name }}
  labels: {{- include "esim-service.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $name }}}
  minReplicaCount: {{ $scale.minReplicas }}
  maxReplicaCount: {{ $scale.maxReplicas }}
  pollingInterval: {{ $scale.lag.pollingSeconds }}
  cooldownPeriod: {{ $scale.lag.cooldownSeconds }}
  # While the lag cannot be read.
  fallback: {failureThreshold: 3, replicas: {{ $scale.lag.fallbackReplicas }}}
  triggers:
    - type: kafka
      metadata:
        bootstrapServers: {{ .Values.kafka.bootstrapServers }}
        # All topics that the group reads: none is named.
        consumerGroup: {{ .Chart.Name }}
        lagThreshold: {{ $scale.lag.threshold | int | quote }}
        activationLagThreshold: {{ $scale.lag.activation | int | quote }}
        offsetResetPolicy: earliest
        sasl: {{ eq .Values.kafka.mechanism "SCRAM-SHA-512" | ternary "scram_sha512" "scram_sha256" }}
        tls: {{ .Values.kafka.tls | ternary "enable" "disable" }}
      authenticationRef: {name: {{ $name }}-kafka}
{{- else if eq $scale.by "cpu" }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels: {{- include "esim-service.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $name }}}
  minReplicas: {{ $scale.minReplicas }}
  maxReplicas: {{ $scale.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ $scale.cpu.utilization }}}
{{- end }}
{{- end }}

{{- define "esim-service.monitor" -}}
{{- if .Values.monitoring.enabled }}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "esim-service.name" . }}
  labels: {{- include "esim-service.labels" . | nindent 4 }}
    {{- with .Values.monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels: {{- include "esim-service.selector" . | nindent 6 }}
  endpoints:
    - port: http
      path: /metrics
      interval: {{ .Values.monitoring.interval }}
      # The labels that the alarms and dashboards go by, as compose's Prometheus sets them.
      relabelings:
        - {targetLabel: job, replacement: services, action: replace}
        - {targetLabel: service, replacement: {{ .Chart.Name }}, action: replace}
{{- end }}
{{- end }}
