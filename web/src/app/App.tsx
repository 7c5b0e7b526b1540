import { type ComponentType, lazy, Suspense } from "react";
import { Navigate, Route, Routes, useParams } from "react-router";
import { Loading, NotAllowed, Problem, SignedOut } from "../components/States";
import { useViewer, type Viewer } from "../hooks/useViewer";
import { Layout, placesFor } from "./Layout";

const CreditsPage = lazy(() => import("../components/CreditsPage"));
const AccountUsagePage = lazy(() => import("../components/AccountUsagePage"));
const TeamPage = lazy(() => import("../components/TeamPage"));
const TextingPage = lazy(() => import("../components/TextingPage"));

export function App() {
  const { viewer, error } = useViewer();
  return (
    <Layout viewer={viewer}>
      <Suspense fallback={<Loading />}>
        {viewer ? <Pages viewer={viewer} /> : <Nobody isKnown={viewer === null} error={error} />}
      </Suspense>
    </Layout>
  );
}

function Nobody({ isKnown, error }: { isKnown: boolean; error: unknown }) {
  if (isKnown) return <SignedOut />;
  return error ? <Problem error={error} onRetry={() => window.location.reload()} /> : <Loading />;
}

function Pages({ viewer }: { viewer: Viewer }) {
  const [home] = placesFor(viewer);
  return (
    <Routes>
      <Route index element={home ? <Navigate to={home.to} replace /> : <NotAllowed />} />
      <Route path="teams" element={<CreditsPage />} />
      <Route path="usage" element={<AccountUsagePage />} />
      <Route path="team/:teamId/:tab?" element={<OfTeam page={TeamPage} viewer={viewer} />} />
      <Route path="text/:assignmentId?/:contactId?" element={<TextingPage />} />
      <Route path="*" element={<NotAllowed>There is no such page.</NotAllowed>} />
    </Routes>
  );
}

interface TeamPageProps {
  viewer: Viewer;
  teamId: string;
}

/** Begins anew with each team: nothing of another one stays. */
function OfTeam({ page: Page, viewer }: { page: ComponentType<TeamPageProps>; viewer: Viewer }) {
  const { teamId = "" } = useParams();
  return <Page key={teamId} teamId={teamId} viewer={viewer} />;
}
