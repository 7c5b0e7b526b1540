interface Props {
  team: { id: string; name: string };
  onClose: () => void;
}

export function AddCreditsDialog({ team, onClose }: Props) {
  return (
    <button type="button" onClick={onClose}>
      {team.name}
    </button>
  );
}
