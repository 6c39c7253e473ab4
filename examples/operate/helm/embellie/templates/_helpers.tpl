{{- define "embellie.name" -}}
{{- if contains "embellie" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-embellie" (.Release.Name | trunc 43) }}{{ end -}}
{{- end }}

{{- define "embellie.selector" -}}
app.kubernetes.io/name: embellie
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "embellie.labels" -}}
{{ include "embellie.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "embellie.drain" -}}
{{ dig "server" "drain_seconds" 0 .Values.config }}
{{- end }}

{{/* embellie.toml: the values' own keys, and what only the chart knows. */}}
{{- define "embellie.toml" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "data" "/srv/embellie/data" -}}
{{- $_ := set $config "question" "question.toml" -}}
{{- $server := merge (dict "host" "0.0.0.0" "port" 8400) (get $config "server" | default dict) -}}
{{- $_ := set $config "server" $server -}}
{{- with .Values.postgres -}}
{{- if .host -}}
{{- $log := printf "postgresql://%s@%s:%d/%s?sslmode=%s" .user .host (int .port) .database .sslmode -}}
{{- $_ := set $config "storage" (dict "log" $log "schema" .schema) -}}
{{- end -}}
{{- end -}}
{{/* Helm keeps every number as a fraction; `slots = 4.0` is no count. */}}
{{- range $line := splitList "\n" (toToml $config | trim) }}
{{- if regexMatch "^ *\\S+ = -?[0-9.]+e[+][0-9]+$" $line }}
{{ first (splitList " = " $line) }} = {{ printf "%.0f" (float64 (last (splitList " = " $line))) }}
{{- else if regexMatch "^ *\\S+ = \\[?[-+0-9.e, ]+\\]?$" $line }}
{{ regexReplaceAll "\\.0([],]|$)" $line "${1}" }}
{{- else }}
{{ $line }}
{{- end }}
{{- end }}
{{- end }}

{{/* What cannot work is refused when the chart is rendered, not when readers come. */}}
{{- define "embellie.check" -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- if not .Values.postgres.host -}}{{ fail "Several replicas cannot share a log in SQLite. Set postgres.host, or replicas: 1." }}{{- end -}}
{{- if not (or .Values.keys.existingSecret .Values.persistence.sharedClaim) -}}{{ fail "Several replicas must know the same keys. Set keys.existingSecret (a Secret with keys.json) or persistence.sharedClaim." }}{{- end -}}
{{- end -}}
{{- if and .Values.postgres.host (not .Values.postgres.passwordSecret.name) -}}{{ fail "PostgreSQL's password comes from a Secret. Set postgres.passwordSecret.name." }}{{- end -}}
{{- if hasKey .Values.config "storage" -}}{{ fail "The chart writes [storage] itself. Set postgres instead of config.storage." }}{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.serviceMonitor.tokenSecret.name) -}}{{ fail "/metrics asks for a viewer's token. Set serviceMonitor.tokenSecret.name." }}{{- end -}}
{{- end }}
